"""While every 3rd write is answered with 409, every 5th with 429 and a Retry-After, every 7th with 500, and every 4th of the rest
is carried out but its answer lost, a cluster's life ends as without, for at most three times the writes (FAULTS K2, K16)."""

from testbed.bed import CONVERGE, cluster
from testbed.waiting import until


def storm(number):
    if number % 3 == 0:
        return 409, "Conflict", {}
    if number % 5 == 0:
        return 429, "TooManyRequests", {"Retry-After": "1"}
    if number % 7 == 0:
        return 500, "InternalError", {}
    return "lost" if number % 4 == 0 else None


def live(bed, rule):
    proxy = bed.proxy()
    operator = bed.operator(proxy)
    proxy.interfere(rule or (lambda _: None))
    bed.apply(cluster())
    bed.wait_ready()
    bed.kubectl("scale", "storagecluster", "demo", "--replicas=0")
    until("scaled to 0", lambda: bed.scaled(0), CONVERGE)
    bed.kubectl("delete", "storagecluster", "demo", "--wait=false")
    bed.wait_gone()
    bed.apply(cluster())
    bed.wait_ready()
    until("the claim is there", lambda: bed.claims() == ["data-demo-0"], CONVERGE)
    assert operator.running()
    return bed.final_objects().replace(bed.namespace, "<namespace>"), proxy.attempts


def run(bed):
    with bed.sibling("reference") as one:
        reference, usual = live(one, None)
    found, writes = live(bed, storm)
    assert found == reference, f"it ends otherwise:\n{found}\n instead of\n{reference}"
    assert writes <= 3 * usual, f"{writes} writes, and {usual} without the storm"
    return f"{writes} writes were tried, {usual} without the storm"
