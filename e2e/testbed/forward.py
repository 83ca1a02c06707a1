"""HTTP to what runs in a cluster, by `kubectl port-forward`: the way in that every cluster has."""

import http.client
import re
import tempfile

from testbed.processes import Process
from testbed.waiting import until

FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


class Unreachable(AssertionError):
    """No answer came: what was asked may have been done or not."""


class Forward:
    """To one pod of `target` (service/demo), and to another one when that is gone. Not for several threads."""

    def __init__(self, kubectl, target, port, folder):
        self._command = [*kubectl, "port-forward", "--address", "127.0.0.1", target, f":{port}"]
        self._folder, self._process, self._connection = folder, None, None

    def request(self, method, path, body=None, timeout=10):
        """(status, headers, body)"""
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port(), timeout=timeout)
            self._connection.request(method, path, body)
            answer = self._connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except (http.client.HTTPException, OSError) as error:
            self.stop()  # it may be bound to a pod that is gone
            raise Unreachable(f"{method} {path}: {error!r}") from error

    def _port(self):
        if self._process is None:
            self._process = Process("port-forward", self._command, tempfile.mkdtemp(dir=self._folder))
        return int(until("kubectl port-forward listens", self._listening, deadline=20)[1])

    def _listening(self):
        found = FORWARDING.search(self._process.last_log())
        if not found and not self._process.running():
            raise ConnectionError(f"kubectl port-forward ended: {self._process.last_log()}")
        return found

    def stop(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._process.stop()
            self._process = None
