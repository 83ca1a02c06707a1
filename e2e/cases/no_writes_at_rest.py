"""A converged operator makes no API write in 60 seconds (FAULTS I9), events and status included."""

import time

from testbed.bed import cluster
from testbed.waiting import until

REST = 60.0


def run(bed):
    proxy = bed.proxy()
    operator = bed.operator(proxy)
    bed.apply(cluster())
    bed.apply(cluster(name="second"))
    bed.wait_ready()
    bed.wait_ready("second")
    assert proxy.writes, "the operator does not go through the proxy"

    # Settled: whatever followed from the last status is done.
    last = [len(proxy.writes), time.monotonic()]

    def quiet():
        if len(proxy.writes) != last[0]:
            last[:] = [len(proxy.writes), time.monotonic()]
        return time.monotonic() - last[1] > 3

    until("three quiet seconds in a row", quiet, 30)
    proxy.forget()
    time.sleep(REST)  # the measurement itself
    assert operator.running()
    assert proxy.writes == [], f"writes at rest: {proxy.writes}"
    return f"0 writes in {REST:.0f} s"
