"""The nodes are cordoned and drained under load: of servers, poolers and service one pod each is evicted, and no second one before
it is back, behind `kubectl uncordon`. So the drain comes to its end, 0 requests fail for who tries again, and everything
acknowledged is there."""

import subprocess

from cases.pods_serve_a_postgres_cluster import postgres
from testbed.cluster_bed import CONVERGE, all_serve
from testbed.load import Load
from testbed.waiting import until

SERVERS = ("cluster",)
CLUSTER = "storage.holdfast.dev/cluster=demo"
RUNNING = "status.phase=Running"
# Of each the pods that a budget protects, all but the one that may be away.
KEPT = {"demo-db": 2, "demo-db-pooler": 1, "demo": 1}


def cordon(bed):
    """The names of the nodes that were not."""
    free = [one["metadata"]["name"] for one in bed.items("nodes") if not one["spec"].get("unschedulable")]
    bed.kubectl("cordon", *free)
    return free


def pods(bed):
    found = bed.items("pods", CLUSTER)
    return {one["metadata"]["uid"] for one in found if one["status"].get("phase") == "Running"}


def budgets(bed):
    """{name: (healthy now, how many more may go)}; never fewer than are kept."""
    found = {one["metadata"]["name"]: one["status"] for one in bed.items("poddisruptionbudgets", CLUSTER)}
    assert set(found) == set(KEPT), found
    for name, status in found.items():
        if status["currentHealthy"] < KEPT[name]:
            raise RuntimeError(f"{name}: {status['currentHealthy']} are left, and {KEPT[name]} are to be kept")
    return {name: (status["currentHealthy"], status["disruptionsAllowed"]) for name, status in found.items()}


def run(bed):
    bed.install()
    bed.apply(postgres())
    bed.wait_ready()
    former, used_up = pods(bed), {name: (kept, 0) for name, kept in KEPT.items()}
    until("every budget lets one go", lambda: all(allowed == 1 for _, allowed in budgets(bed).values()), CONVERGE)
    with Load(bed) as load:
        nodes = cordon(bed)
        try:
            drain = subprocess.Popen([*bed.command(), "drain", *nodes, f"--pod-selector={CLUSTER}", "--ignore-daemonsets",
                                      "--delete-emptydir-data", f"--timeout={3 * CONVERGE:.0f}s"],
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            try:
                until("one of each is evicted", lambda: budgets(bed) == used_up, CONVERGE, pause=0.5)
                load.goes_on()
                assert drain.poll() is None and budgets(bed) == used_up, f"{drain.poll()} {budgets(bed)}"
                bed.kubectl("uncordon", *nodes)
                until("the drain is over", lambda: budgets(bed) and drain.poll() is not None, 3 * CONVERGE, pause=0.5)
                assert drain.returncode == 0, drain.stdout.read()
            finally:
                drain.kill()
                drain.communicate()
        finally:
            bed.kubectl("uncordon", *nodes)
        bed.wait_ready()
        until("all servers are back", lambda: all_serve(bed), CONVERGE)
        assert not former & pods(bed), "a pod was not evicted"
        load.goes_on()
        return load.finish()
