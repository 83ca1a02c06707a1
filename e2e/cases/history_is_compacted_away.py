"""The server forgets the history that the operator's watches would go on from (etcd is compacted while they are cut): they are
answered with 410, and the operator lists and catches up, deletions included (FAULTS K11)."""

from testbed.bed import CONVERGE, cluster
from testbed.waiting import until

SERVERS = ("real",)
SLOW = True


def run(bed):
    proxy = bed.proxy()
    operator = bed.operator(proxy)
    bed.apply(cluster())
    bed.apply(cluster(name="other"))
    bed.wait_ready()
    bed.wait_ready("other")
    proxy.cut()
    bed.kubectl("delete", "service", "demo")
    bed.kubectl("scale", "storagecluster", "other", "--replicas=0")
    bed.parts.server_may_be_away = True
    bed.server.forget_history()
    proxy.mend()
    until("the Service is back", lambda: "services/demo" in bed.children(), CONVERGE)
    until("the other one is scaled", lambda: bed.scaled(0, "other"), CONVERGE)
    bed.wait_ready()
    assert operator.running()
