"""An operator of two namespaces, allowed nothing beyond them, serves both and never touches a third; one of all namespaces,
with the cluster-wide role, serves them all."""

import json

from testbed.bed import CONVERGE, cluster
from testbed.waiting import until

ACCOUNT = "scoped-operator"


def run(bed):
    with bed.sibling("second") as second, bed.sibling("third") as third:
        for one in (bed, second, third):
            one.apply(cluster())
        bed.server.allow(bed.binary, "-n", bed.namespace, "-n", second.namespace, "--service-account", ACCOUNT)
        scoped = bed.operator(flags=("--leader-elect=false", f"--namespace={second.namespace}"),
                              certificates=bed.server.identity(ACCOUNT))
        bed.wait_ready()
        second.wait_ready()
        assert not third.children() and not third.storage_cluster().get("status"), json.dumps(third.storage_cluster())
        scoped.stop()
        if bed.server.real:
            touched = {one[3] for one in bed.server.requests_of(ACCOUNT)}
            assert touched <= {bed.namespace, second.namespace}, f"requests to {touched}"
        bed.operator(flags=("--leader-elect=false", "--namespace=all"))
        third.wait_ready()
        until("the others are still ready", lambda: bed.ready() and second.ready(), CONVERGE)
