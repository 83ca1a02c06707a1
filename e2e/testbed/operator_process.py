"""`holdfast-operator run` against a server, directly or through a counting proxy; ended and started again at will."""

import os

from testbed.processes import Process
from testbed.servers import write_kubeconfig


class Operator:
    """`certificates` are those of another identity than the operator's usual one."""

    def __init__(self, binary, server, namespace, folder, proxy=None, flags=("--leader-elect=false",), certificates=None,
                 admin_port=0):
        self._binary, self._namespace, self._folder, self._count = binary, namespace, folder, 0
        self.kubeconfig = os.path.join(folder, "operator-kubeconfig")
        if proxy:
            write_kubeconfig(self.kubeconfig, proxy.url)  # which has the operator's certificates
        else:
            write_kubeconfig(self.kubeconfig, server.url, certificates or server.operator_certificates)
        self._flags = (f"--admin-port={admin_port}", *flags)
        self._process = None

    def start(self):
        self._count += 1
        self._process = Process(f"operator-{self._count}", [
            self._binary, "run", "--kubeconfig", self.kubeconfig, f"--namespace={self._namespace}",
            "--admin-address=127.0.0.1", *self._flags], self._folder)

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
