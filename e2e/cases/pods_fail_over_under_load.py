"""The pod of the PostgreSQL primary is killed under load: another member takes over, unless the killed one is back before that; writes
go on, and everything acknowledged is there."""

import time

from cases.pods_serve_a_postgres_cluster import postgres
from testbed.bed import condition
from testbed.cluster_bed import CONVERGE
from testbed.load import Load
from testbed.waiting import until

SERVERS = ("cluster",)


def primary(bed):
    """The pod that is ready and has the role."""
    for pod in bed.items("pods", "storage.holdfast.dev/backend=db,role=master"):
        if condition(pod, "Ready").get("status") == "True" and not pod["metadata"].get("deletionTimestamp"):
            return pod["metadata"]
    return None


def another(bed, former):
    now = primary(bed)
    return now if now and now["uid"] != former["uid"] else None


def run(bed):
    bed.install()
    bed.apply(postgres())
    bed.wait_ready()
    with Load(bed) as load:
        former = until("there is a primary", lambda: primary(bed))
        bed.kubectl("delete", "pod", former["name"], "--grace-period=0", "--force")
        started = time.monotonic()
        now = until("another pod is the primary", lambda: another(bed, former), CONVERGE)
        taken_over = time.monotonic() - started
        load.goes_on()
        bed.wait_ready()
        return f"{former['name']} killed, {now['name']} is the primary {taken_over:.1f} s later; {load.finish()}"
