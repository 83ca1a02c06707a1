"""Servers that an earlier build made have the API server's default strategy; it does not let that stand beside OnDelete, and no
apply takes away what nobody owns. They are brought to OnDelete all the same, and nothing is made anew for it."""

import json

from testbed.bed import CONVERGE, cluster
from testbed.waiting import until

DEFAULT = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}


def run(bed):
    operator = bed.operator()
    bed.apply(cluster(backends=[{"name": "db", "postgres": {"storage": {"size": "1Gi"}}}], stores=[{"name": "main", "backend": "db"}]))
    bed.wait_ready()
    operator.stop()
    servers = bed.api.get("statefulsets", bed.namespace, "demo-db")
    # A strategic merge would leave what is not named; this is what the API server makes of a strategy that nobody gave.
    bed.kubectl("patch", "statefulset", "demo-db", "--type=json", "--patch",
                json.dumps([{"op": "replace", "path": "/spec/updateStrategy", "value": DEFAULT}]))

    operator.start()

    def left_to_the_operator():
        now = bed.api.get("statefulsets", bed.namespace, "demo-db")
        assert now["metadata"]["uid"] == servers["metadata"]["uid"], "made anew"
        assert now["spec"]["updateStrategy"] == {"type": "OnDelete"}, now["spec"]["updateStrategy"]
        return True

    until("the strategy is OnDelete", left_to_the_operator, CONVERGE)
    bed.wait_ready()
