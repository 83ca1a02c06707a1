"""Ready is never said before the pods are, is taken back when they are not, and always about the present generation."""

from testbed.bed import CONVERGE, cluster, condition
from testbed.waiting import until


def ready_is(bed, wanted):
    one = bed.storage_cluster()
    state = condition(one, "Ready")
    assert state.get("status") == wanted, f"Ready is {state}"
    assert state["observedGeneration"] == one["metadata"]["generation"], state
    assert state["reason"] and state["message"], state
    return one


def run(bed):
    bed.parts.pods_get_ready = False
    bed.operator()
    bed.apply(cluster())
    until("Ready is False while no pod is ready", lambda: ready_is(bed, "False"), CONVERGE)
    bed.parts.pods_get_ready = True
    one = bed.wait_ready()
    assert one["status"]["readyReplicas"] == 1, one["status"]
    assert {row["name"] for row in one["status"]["backends"]} == {"local"}, one["status"]
    bed.parts.pods_get_ready = False
    until("Ready is False again after the pod was lost", lambda: ready_is(bed, "False"), CONVERGE)
    assert "Normal" in bed.kubectl("describe", "storagecluster", "demo"), "no event tells what was done"
