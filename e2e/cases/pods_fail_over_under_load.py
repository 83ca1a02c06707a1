"""The pod of the PostgreSQL primary is killed under load: another member takes over, writes go on, and everything acknowledged is
there. The killed member comes back as a replica."""

import time

from cases.pods_serve_a_postgres_cluster import postgres
from testbed.audit import Writers
from testbed.cluster_bed import CONVERGE
from testbed.waiting import until

SERVERS = ("cluster",)
LOAD = 100


def primary(bed):
    name = bed.get("storagecluster", "demo")["status"]["backends"][0].get("primary")
    assert name, "no primary is known"
    return name


def run(bed):
    bed.install()
    bed.apply(postgres())
    bed.wait_ready()
    with Writers(bed, "service/demo") as writers:
        until("there is load", lambda: writers.acknowledged >= LOAD)
        former = primary(bed)
        bed.kubectl("delete", "pod", former, "--grace-period=0", "--force")
        started = time.monotonic()
        until("another member is the primary", lambda: primary(bed) != former, CONVERGE)
        taken_over, before = time.monotonic() - started, writers.acknowledged
        until("writes are acknowledged again", lambda: writers.acknowledged >= before + LOAD, CONVERGE)
    bed.wait_ready()
    writers.check(bed.forward("service/demo"))
    return f"status names another primary {taken_over:.1f} s after the kill; {writers.account()}"
