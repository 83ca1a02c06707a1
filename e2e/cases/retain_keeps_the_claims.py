"""terminationPolicy Retain: the cluster and its children go, the data stays, and a new cluster of that name finds it."""

from testbed.bed import cluster
from testbed.waiting import until


def run(bed):
    bed.operator()
    bed.apply(cluster(policy="Retain"))
    bed.wait_ready()
    until("the claim is there", lambda: bed.claims() == ["data-demo-0"])
    before = bed.api.get("persistentvolumeclaims", bed.namespace, "data-demo-0")["metadata"]["uid"]
    bed.kubectl("delete", "storagecluster", "demo", "--wait=false")
    bed.wait_gone()
    assert bed.claims() == ["data-demo-0"], bed.claims()
    bed.apply(cluster(policy="Retain"))
    bed.wait_ready()
    assert bed.api.get("persistentvolumeclaims", bed.namespace, "data-demo-0")["metadata"]["uid"] == before
