"""While a cluster is paused nothing of it is written but its status, which says so; resumed, what waited is done."""

from testbed.bed import CONVERGE, cluster, condition
from testbed.waiting import until


def run(bed):
    proxy = bed.proxy()
    bed.operator(proxy)
    bed.apply(cluster())
    before = bed.wait_ready()
    bed.kubectl("annotate", "storagecluster", "demo", "storage.holdfast.dev/paused=true")
    until("the status says it is paused", lambda: condition(bed.storage_cluster(), "Paused"), CONVERGE)
    proxy.forget()
    bed.kubectl("scale", "storagecluster", "demo", "--replicas=0")
    bed.kubectl("delete", "service", "demo")

    def said():
        one = bed.storage_cluster()
        assert "changes wait" in condition(one, "Paused")["message"], one["status"]
        assert condition(one, "Ready")["status"] == "True", one["status"]
        assert one["status"]["observedGeneration"] == before["metadata"]["generation"], one["status"]
        return True

    until("the status says what waits", said, CONVERGE)
    other = [write for write in proxy.writes if "/storageclusters/demo/status" not in write and "/events" not in write]
    assert not other, f"written while paused: {other}"
    assert "services/demo" not in bed.children()
    bed.kubectl("annotate", "storagecluster", "demo", "storage.holdfast.dev/paused-")
    until("scaled to 0", lambda: bed.scaled(0), CONVERGE)
    assert "services/demo" in bed.children()
    assert not condition(bed.storage_cluster(), "Paused")
