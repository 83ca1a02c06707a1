"""All processes of a primary, of a pooler and of a pod of the service end by SIGKILL, one after the other and under load, which is
what `kubectl delete --force` is not: PostgreSQL still shuts down by that. 0 requests fail for who tries again, and everything
acknowledged is there."""

import time

from cases.pods_fail_over_under_load import primary
from cases.pods_serve_a_postgres_cluster import postgres
from testbed.cluster_bed import CONVERGE, all_serve
from testbed.load import Load
from testbed.waiting import until

SERVERS = ("cluster",)
OWN_NODE = True  # somebody has to send the signal


def container(bed, pod, name):
    found = bed.get("pod", pod)
    return next(one for one in found["status"]["containerStatuses"] if one["name"] == name) if found else None


def crash(bed, pod, name):
    """Until the kubelet has started it anew."""
    former = container(bed, pod, name)
    bed.cluster.crash(former["containerID"])
    until(f"{name} of {pod} has been started anew",
          lambda: (container(bed, pod, name) or {"restartCount": 0})["restartCount"] > former["restartCount"], CONVERGE)


def one_of(bed, role):
    return min(pod["metadata"]["name"] for pod in bed.items("pods", f"storage.holdfast.dev/role={role}"))


def run(bed):
    bed.install()
    bed.apply(postgres())
    bed.wait_ready()
    with Load(bed) as load:
        former = until("there is a primary", lambda: primary(bed))["name"]
        started = time.monotonic()
        crash(bed, former, "postgres")
        now = until("there is a primary again", lambda: primary(bed), CONVERGE)["name"]
        taken = time.monotonic() - started
        load.goes_on()
        until("all servers are back", lambda: all_serve(bed), CONVERGE)
        crash(bed, one_of(bed, "pooler"), "pooler")
        load.goes_on()
        crash(bed, one_of(bed, "service"), "service")
        load.goes_on()
        bed.wait_ready()
        return f"{former} crashed, {now} is the primary {taken:.1f} s later; {load.finish()}"
