"""Scaled to 0 and back, deleted, made again under the same name: the new cluster owns everything, nothing is left over."""

from testbed.bed import CONVERGE, cluster
from testbed.waiting import until


def run(bed):
    bed.operator()
    bed.apply(cluster())
    first = bed.wait_ready()
    for wanted in (0, 1):
        bed.kubectl("scale", "storagecluster", "demo", f"--replicas={wanted}")
        until(f"the cluster has {wanted} replicas", lambda: bed.scaled(wanted), CONVERGE)
    bed.kubectl("delete", "storagecluster", "demo", "--wait=false")
    bed.wait_gone()
    until("the claim went with its cluster", lambda: bed.claims() == [], CONVERGE)
    bed.apply(cluster())
    second = bed.wait_ready()
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    for name, one in bed.children().items():
        owners = [row["uid"] for row in one["metadata"]["ownerReferences"]]
        assert owners == [second["metadata"]["uid"]], f"{name} is owned by {owners}"
