"""The pod of an embedded cluster is killed: another one takes its place and its volume, and everything acknowledged is there."""

import time

from testbed.audit import Writers
from testbed.bed import cluster
from testbed.cluster_bed import CONVERGE
from testbed.waiting import until

SERVERS = ("cluster",)
BEFORE = 100  # acknowledged writes before the kill, and again after it


def run(bed):
    bed.install()
    bed.apply(cluster())
    bed.wait_ready()
    with Writers(bed, "service/demo") as writers:
        until("there is load", lambda: writers.acknowledged >= BEFORE)
        uid = bed.get("pod", "demo-0")["metadata"]["uid"]
        bed.kubectl("delete", "pod", "demo-0", "--grace-period=0", "--force")
        started, before = time.monotonic(), writers.acknowledged
        until("another pod is there", lambda: (one := bed.get("pod", "demo-0")) and one["metadata"]["uid"] != uid, CONVERGE)
        until("writes are acknowledged again", lambda: writers.acknowledged >= before + BEFORE, CONVERGE)
        served = time.monotonic() - started
    bed.wait_ready()
    writers.check(bed.forward("service/demo"))
    return f"served again {served:.1f} s after the kill; {writers.account()}"
