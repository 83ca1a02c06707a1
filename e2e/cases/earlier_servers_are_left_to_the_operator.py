"""Servers that an earlier build made have the API server's default strategy; it does not let that stand beside OnDelete, and no
apply takes away what nobody owns. They are brought to OnDelete all the same, and nothing is made anew for it."""

from testbed.bed import CONVERGE, cluster
from testbed.waiting import until

DEFAULT = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}


def run(bed):
    operator = bed.operator()
    bed.apply(cluster(backends=[{"name": "db", "postgres": {"storage": {"size": "1Gi"}}}], stores=[{"name": "main", "backend": "db"}]))
    bed.wait_ready()
    operator.stop()
    servers = bed.api.get("statefulsets", bed.namespace, "demo-db")
    metadata = {field: servers["metadata"][field] for field in ("name", "labels", "annotations", "ownerReferences")}
    bed.kubectl("delete", "statefulset", "demo-db", "--cascade=orphan")
    made = bed.api.create("statefulsets", bed.namespace, {
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata,
        "spec": {field: value for field, value in servers["spec"].items() if field != "updateStrategy"}})
    assert made["spec"]["updateStrategy"] == DEFAULT, made["spec"]["updateStrategy"]

    operator.start()

    def left_to_the_operator():
        now = bed.api.get("statefulsets", bed.namespace, "demo-db")
        assert now["metadata"]["uid"] == made["metadata"]["uid"], "made anew"
        assert now["spec"]["updateStrategy"] == {"type": "OnDelete"}, now["spec"]["updateStrategy"]
        return True

    until("the strategy is OnDelete", left_to_the_operator, CONVERGE)
    bed.wait_ready()
