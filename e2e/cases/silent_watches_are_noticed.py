"""Watches that are open and silent for ever (half-open connections) are taken for dead and begun anew: what happened meanwhile is
caught up with in at most 90 s (FAULTS K13)."""

import time

from testbed.bed import cluster
from testbed.waiting import until

NOTICED = 90.0  # the client's idle timeout; then the list


def run(bed):
    proxy = bed.proxy()
    operator = bed.operator(proxy)
    bed.apply(cluster())
    bed.wait_ready()
    proxy.fall_silent()
    started = time.monotonic()
    bed.kubectl("delete", "service", "demo")
    until("the Service is back", lambda: "services/demo" in bed.children(), NOTICED + 30)
    bed.wait_ready()
    assert operator.running()
    return f"noticed after {time.monotonic() - started:.0f} s"
