"""`holdfast-operator run` against a server, directly or through a counting proxy; ended and started again at will."""

import os
import shutil

from testbed.processes import Process
from testbed.servers import write_kubeconfig


class Operator:
    def __init__(self, binary, server, namespace, folder, proxy=None):
        self._binary, self._namespace, self._folder, self._count = binary, namespace, folder, 0
        # A copy: some operators of a run go through a proxy, and read another address from a file of their own.
        self.kubeconfig = os.path.join(folder, "operator-kubeconfig")
        if proxy:
            write_kubeconfig(self.kubeconfig, proxy.url)
        else:
            shutil.copy(server.kubeconfig, self.kubeconfig)
        self._process = None

    def start(self):
        self._count += 1
        self._process = Process(f"operator-{self._count}", [
            self._binary, "run", "--kubeconfig", self.kubeconfig, f"--namespace={self._namespace}",
            "--leader-elect=false", "--admin-address=127.0.0.1", "--admin-port=0"], self._folder)

    @property
    def pid(self):
        return self._process.pid

    def running(self):
        return self._process is not None and self._process.running()

    def kill(self):
        self._process.kill()

    def stop(self):
        return self._process.stop() if self._process else 0

    def last_log(self):
        return self._process.last_log() if self._process else ""
