"""The API server answers nobody for 60 s: no object of a running cluster is touched when it is back, and what was changed
meanwhile is caught up with within 60 s (FAULTS K12, I1)."""

import time

from testbed.bed import CONVERGE, cluster

OUTAGE = 60.0


def identities(bed):
    return {name: (one["metadata"]["uid"], one["metadata"].get("generation")) for name, one in bed.children().items()}


def run(bed):
    proxy = bed.proxy()
    operator = bed.operator(proxy)
    bed.apply(cluster())
    bed.wait_ready()
    before = identities(bed)
    pid = operator.pid
    proxy.forget()
    proxy.cut()
    bed.apply(cluster(name="missed"))
    time.sleep(OUTAGE)  # the outage itself
    proxy.mend()
    started = time.monotonic()
    bed.wait_ready("missed")
    took = time.monotonic() - started
    assert took <= CONVERGE
    bed.wait_ready()
    touched = [write for write in proxy.writes if "/demo" in write]
    assert not touched, f"the running cluster was written to: {touched}"
    assert identities(bed) == before, "children of the running cluster were changed"
    assert operator.running() and operator.pid == pid
    return f"caught up {took:.1f} s after the outage"
