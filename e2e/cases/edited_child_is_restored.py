"""What somebody changes in a field the operator owns is put back, a deleted child is made again, foreign fields stay
(FAULTS K19)."""

from testbed.bed import CONVERGE, cluster
from testbed.waiting import until


def run(bed):
    bed.operator()
    bed.apply(cluster())
    bed.wait_ready()
    bed.kubectl("label", "configmap", "demo-config", "team=blue")
    bed.kubectl("patch", "statefulset", "demo", "--type=merge", "-p", '{"spec":{"replicas":0}}')
    bed.kubectl("delete", "poddisruptionbudget", "demo")

    def restored():
        children = bed.children()
        assert "poddisruptionbudgets/demo" in children, sorted(children)
        assert children["statefulsets/demo"]["spec"]["replicas"] == 1, "replicas are still the edited ones"
        return True

    until("the edit is undone and the deleted child is back", restored, CONVERGE)
    assert bed.children()["configmaps/demo-config"]["metadata"]["labels"]["team"] == "blue", "a foreign label was removed"
    bed.wait_ready()
