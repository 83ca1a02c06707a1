"""The service under audit: the real binary with one rocksdb store, started, killed and started again on the same port."""

import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "e2e"))
# pylint: disable=wrong-import-position
from testbed.ports import free_port  # noqa: E402

STORE = "main"


class Service:
    def __init__(self, binary, folder, durability, tracker=None):
        self.port, self.admin_port = free_port(), free_port()
        self.data = os.path.join(folder, "data")
        self.journal = os.path.join(folder, "sync-journal")
        self._binary, self._tracker = binary, tracker
        self._config = os.path.join(folder, "holdfast.yaml")
        self._log_path = os.path.join(folder, "service.log")
        self._process = None
        with open(self._config, "w", encoding="utf-8") as config:
            config.write(f"""\
listen: {{address: 127.0.0.1, port: {self.port}}}
admin: {{address: 127.0.0.1, port: {self.admin_port}}}
backends:
  # Small buffers, so that flushes and compactions happen under the kills as well.
  disk: {{type: rocksdb, path: {self.data}, durability: {durability}, write_buffer_size: 1Mi}}
stores:
  {STORE}: {{backend: disk}}
default_store: {STORE}
""")

    def spawn(self):
        environment = dict(os.environ)
        if self._tracker:
            environment |= {"LD_PRELOAD": self._tracker, "UNSYNCED_TRACKER_JOURNAL": self.journal}
        with open(self._log_path, "ab") as log:
            self._process = subprocess.Popen([self._binary, "serve", "--config", self._config], stdout=log, stderr=log,
                                             stdin=subprocess.DEVNULL, env=environment)

    def wait_ready(self, deadline=120.0):
        """Seconds from now until /readyz says 200."""
        started = time.monotonic()
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/readyz", timeout=2) as answer:
                    if answer.status == 200:
                        return time.monotonic() - started
            except (urllib.error.URLError, OSError):
                pass
            if self._process.poll() is not None:
                raise RuntimeError(f"the service ended with {self._process.returncode}:\n{self.last_log()}")
            if time.monotonic() - started > deadline:
                raise RuntimeError(f"the service was not ready within {deadline:.0f} s:\n{self.last_log()}")
            time.sleep(0.003)

    def kill(self):
        """kill -9, and until it is gone."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        if self._process:
            self._process.wait()

    def last_log(self):
        with open(self._log_path, "rb") as log:
            return log.read()[-3000:].decode(errors="replace")
