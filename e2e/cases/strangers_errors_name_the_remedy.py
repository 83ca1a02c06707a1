"""Where the definitions are missing, or a right of the operator or of a person, what each of them is told names the remedy; and
when it has been applied, the operator goes on by itself."""

import os
import subprocess
import tempfile

from testbed import servers
from testbed.bed import Bed, cluster
from testbed.waiting import until

SERVERS = ("real",)
ACCOUNT = "new-operator"
RIGHTS = "`holdfast-operator rbac`"
DEFINITIONS = "kubectl apply --server-side -f crds/"
CRDS = os.path.join(os.path.dirname(__file__), "..", "..", "crds")


def run(bed):
    with tempfile.TemporaryDirectory(dir=bed.folder) as folder:
        server = servers.RealServer(folder)
        try:
            with Strangers(server, bed.binary, "apps", folder) as apps:
                check(apps, server)
        finally:
            server.stop()


class Strangers(Bed):
    """What goes on a server that knows nothing of Holdfast yet."""

    def holdfast(self, *arguments, kubeconfig=None):
        """(exit status, standard error) of `kubectl holdfast`."""
        program = os.path.join(os.path.dirname(self.binary), "kubectl-holdfast")
        done = subprocess.run([program, *arguments, "--namespace", self.namespace, "--kubeconfig",
                               kubeconfig or self.server.kubeconfig], capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stderr

    def logged(self, operator, *texts):
        """One line of the operator's log that has all of them."""
        return until(f"the operator's log has a line with {texts}",
                     lambda: any(all(text in line for text in texts) for line in operator.last_log().splitlines()))


def check(apps, server):
    without_definitions(apps, server)
    without_rights(apps, server)
    apps.apply(cluster())
    apps.wait_ready()
    apps.kubectl("delete", "storagecluster", "demo", "--wait=false")
    apps.wait_gone()


def without_definitions(apps, server):
    status, _, errors = apps.try_apply(cluster())
    assert status and "ensure CRDs are installed first" in errors, errors  # kubectl's own words
    status, errors = apps.holdfast("status")
    assert status == 1 and DEFINITIONS in errors, errors
    server.allow(apps.binary, "--namespace", apps.namespace, "--service-account", "early-operator")
    early = apps.operator(certificates=server.identity("early-operator"))
    apps.logged(early, "cannot list storageclusters", DEFINITIONS)
    apps.kubectl("apply", "--server-side", "-f", CRDS)
    until("the operator goes on", lambda: apps.try_apply(cluster("early"))[0] == 0 and apps.ready("early"))
    apps.kubectl("delete", "storagecluster", "early", "--wait=false")
    apps.wait_gone("early")
    early.stop()


def without_rights(apps, server):
    """The operator is left running, with its rights."""
    person = servers.write_kubeconfig(os.path.join(apps.folder, "person"), server.url, server.identity("person"))
    status, errors = apps.holdfast("status", kubeconfig=person)
    assert status == 1 and '"system:serviceaccount:holdfast-system:person" cannot list' in errors and "RoleBinding" in errors, errors
    lone = apps.operator(certificates=server.identity(ACCOUNT))
    apps.logged(lone, "cannot list storageclusters", RIGHTS)
    lone.stop()
    operator = apps.operator(certificates=server.identity(ACCOUNT), flags=("--leader-elect-namespace=holdfast-system",))
    apps.logged(operator, "the lease could not be taken", RIGHTS)
    server.allow(apps.binary, "--namespace", apps.namespace, "--service-account", ACCOUNT)
