"""A cluster is deleted and made again while no operator runs: the next one finishes the old and builds the new, and takes
nothing of the old one's for the new one's (FAULTS K5)."""

from testbed.bed import CONVERGE, cluster
from testbed.waiting import until


def run(bed):
    operator = bed.operator()
    bed.apply(cluster())
    first = bed.wait_ready()
    operator.kill()
    bed.kubectl("delete", "storagecluster", "demo", "--wait=false")
    assert bed.storage_cluster()["metadata"].get("deletionTimestamp"), "the finalizer held it"
    operator.start()
    bed.wait_gone()
    operator.kill()
    bed.apply(cluster())
    operator.start()
    second = bed.wait_ready()
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    until("its claim is there", lambda: bed.claims() == ["data-demo-0"], CONVERGE)
