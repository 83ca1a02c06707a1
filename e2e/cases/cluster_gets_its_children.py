"""An applied cluster gets every child, owned by it, labelled, and written by server-side apply under one field manager."""

from testbed.bed import cluster
from testbed.waiting import until


def run(bed):
    bed.operator()
    bed.apply(cluster())
    owner = bed.wait_ready()
    children = bed.children()
    kinds = {name.split("/")[0] for name in children}
    expected = {"configmaps", "services", "serviceaccounts", "statefulsets", "poddisruptionbudgets"}
    assert kinds == expected, f"children are {sorted(children)}"
    assert sum(name.startswith("services/") for name in children) >= 2, f"a Service and a headless one: {sorted(children)}"
    for name, one in children.items():
        reference = one["metadata"]["ownerReferences"]
        assert [(row["kind"], row["name"], row["uid"], row.get("controller")) for row in reference] == [
            ("StorageCluster", "demo", owner["metadata"]["uid"], True)], f"{name}: {reference}"
        labels = one["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "holdfast-operator", f"{name}: {labels}"
        appliers = {row["manager"] for row in one["metadata"]["managedFields"] if row["operation"] == "Apply"}
        assert appliers == {"holdfast-operator"}, f"{name}: applied by {appliers}"
    assert children["statefulsets/demo"]["spec"]["replicas"] == 1
    until("the claim of the first pod is there", lambda: bed.claims() == ["data-demo-0"])
