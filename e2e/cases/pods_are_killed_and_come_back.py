"""The pod of an embedded cluster is killed: another one takes its place and its volume, and everything acknowledged is there."""

import time

from testbed.audit import Writers
from testbed.bed import cluster, condition
from testbed.cluster_bed import CONVERGE
from testbed.waiting import until

SERVERS = ("cluster",)
BEFORE = 100  # acknowledged writes before the kill, and again after it


def replaced(bed, uid):
    """The former one may go on answering for a moment; what it acknowledges counts as well."""
    pod = bed.get("pod", "demo-0")
    return pod and pod["metadata"]["uid"] != uid and condition(pod, "Ready").get("status") == "True"


def run(bed):
    bed.install()
    bed.apply(cluster())
    bed.wait_ready()
    with Writers(bed, "service/demo") as writers:
        until("there is load", lambda: writers.acknowledged >= BEFORE)
        uid = bed.get("pod", "demo-0")["metadata"]["uid"]
        bed.kubectl("delete", "pod", "demo-0", "--grace-period=0", "--force")
        started = time.monotonic()
        until("another pod is ready", lambda: replaced(bed, uid), CONVERGE)
        ready, before = time.monotonic() - started, writers.acknowledged
        until("writes are acknowledged again", lambda: writers.acknowledged >= before + BEFORE, CONVERGE)
    bed.wait_ready()
    writers.check(bed.forward("service/demo"))
    return f"another pod was ready {ready:.1f} s after the kill; {writers.account()}"
