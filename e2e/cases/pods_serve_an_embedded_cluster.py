"""An embedded StorageCluster gets Ready, keeps what is put by way of its Service on the volume of its pod, and the pod's own health
check says so."""

from testbed.bed import cluster
from testbed.cluster_bed import get, put

SERVERS = ("cluster",)


def run(bed):
    bed.install()
    bed.apply(cluster())
    bed.wait_ready()
    way = bed.forward("service/demo")
    put(way, "greeting", b"hello")
    assert get(way, "greeting") == b"hello"
    bed.kubectl("exec", "demo-0", "--", "holdfast", "health")
    claim = bed.get("persistentvolumeclaim", "data-demo-0")
    assert claim["status"]["phase"] == "Bound", claim["status"]
