"""Child processes in groups of their own, with their output in a file, stopped by id."""

import os
import signal
import subprocess


class Process:
    def __init__(self, name, arguments, folder, environment=None):
        self.name = name
        self.log_path = os.path.join(folder, f"{name}.log")
        with open(self.log_path, "ab") as log:
            self._popen = subprocess.Popen([str(one) for one in arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                           start_new_session=True, env=environment)

    @property
    def pid(self):
        return self._popen.pid

    def running(self):
        return self._popen.poll() is None

    def wait(self, timeout):
        return self._popen.wait(timeout)

    def kill(self):
        """SIGKILL, and until it is gone."""
        if self.running():
            self._popen.send_signal(signal.SIGKILL)
        self._popen.wait()

    def stop(self, timeout=20):
        """SIGTERM; SIGKILL when that is ignored. Returns the exit status."""
        if self.running():
            self._popen.send_signal(signal.SIGTERM)
            try:
                self._popen.wait(timeout)
            except subprocess.TimeoutExpired:
                self._popen.send_signal(signal.SIGKILL)
        return self._popen.wait()

    def last_log(self):
        with open(self.log_path, "rb") as log:
            return log.read()[-4000:].decode(errors="replace")
