"""An object that somebody else made under a child's name is not taken over: the cluster says so, and goes on once it is gone."""

from testbed.bed import CONVERGE, cluster
from testbed.waiting import until


def run(bed):
    foreign = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "demo", "labels": {"team": "other"}},
               "spec": {"ports": [{"name": "web", "port": 80}], "selector": {"app": "other"}}}
    bed.api.create("services", bed.namespace, foreign)
    before = bed.api.get("services", bed.namespace, "demo")
    bed.operator()
    bed.apply(cluster())

    def refused():
        one = bed.storage_cluster()
        states = {row["type"]: row for row in one.get("status", {}).get("conditions", [])}
        assert states.get("Ready", {}).get("status") == "False", states
        said = " ".join(row["message"] for row in states.values())
        assert "demo" in said and "ervice" in said, f"no condition names the object in the way: {said}"
        return True

    until("the cluster says what is in its way", refused, CONVERGE)
    after = bed.api.get("services", bed.namespace, "demo")
    assert after == before, f"it was changed: {after}"
    bed.kubectl("delete", "service", "demo")
    bed.wait_ready()
