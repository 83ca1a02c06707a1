"""The way to the API server is cut and comes back: the operator catches up with what it missed (FAULTS K12, K13)."""

from testbed.bed import cluster


def run(bed):
    proxy = bed.proxy()
    operator = bed.operator(proxy)
    bed.apply(cluster())
    bed.wait_ready()
    pid = operator.pid
    proxy.cut()
    bed.apply(cluster(name="missed"))
    bed.kubectl("delete", "service", "demo")
    proxy.mend()
    bed.wait_ready("missed")
    bed.wait_ready()
    assert "services/demo" in bed.children()
    assert operator.running() and operator.pid == pid, "the operator did not live through it"
