"""`helm uninstall` takes the operator and nothing else: definition, cluster, pod and data go on. A later installation takes
them over; terminationPolicy Retain then leaves the volume, and a cluster of the same name finds its data on it."""

from testbed.bed import cluster
from testbed.cluster_bed import RELEASE, SYSTEM, get, put
from testbed.waiting import until

SERVERS = ("cluster",)


def run(bed):
    bed.install()
    bed.apply(cluster(policy="Retain"))
    bed.wait_ready()
    way = bed.forward("service/demo")
    put(way, "promise", b"kept")
    uid = bed.get("pod", "demo-0")["metadata"]["uid"]
    bed.helm().run("uninstall", RELEASE)
    until("the operators are gone", lambda: "holdfast" not in bed.kubectl("--namespace", SYSTEM, "get", "pods", "--output=name"))
    assert bed.get("storagecluster", "demo"), "uninstall took the cluster along"
    assert bed.get("pod", "demo-0")["metadata"]["uid"] == uid, "uninstall took the pod along"
    assert get(way, "promise") == b"kept"

    bed.install()
    bed.wait_ready()
    assert bed.get("pod", "demo-0")["metadata"]["uid"] == uid, "the new operator replaced a pod that was well"
    bed.kubectl("delete", "storagecluster", "demo", "--timeout=120s", timeout=150)
    until("the pod is gone", lambda: bed.get("pod", "demo-0") is None, 120)
    assert bed.get("persistentvolumeclaim", "data-demo-0"), "Retain did not leave the volume"
    bed.apply(cluster(policy="Retain"))
    bed.wait_ready()
    assert get(bed.forward("service/demo"), "promise") == b"kept"
