"""A StorageCluster with Redis servers and sentinels serves, and its master ends twice under load. Deleted, it hands over, and nothing
acknowledged is lost; all its processes killed, a replica takes over, and what is lost was acknowledged within the documented bound.
Each time every server is in step again, and requests fail for nobody who tries again."""

import time

from testbed.bed import cluster
from testbed.cluster_bed import CONVERGE
from testbed.load import Load
from testbed.waiting import until

SERVERS = ("cluster",)
OWN_NODE = True  # somebody has to send the signal
MAX_LAG = 3
LOSS_BOUND = MAX_LAG + 2  # seconds; docs/formats/redis.md


def redis():
    backend = {"mode": "Sentinel", "storage": {"size": "1Gi"}, "maxMemory": "64Mi",
               "sentinel": {"downAfterMilliseconds": 3000, "failoverTimeoutMilliseconds": 10000, "maxLagSeconds": MAX_LAG}}
    return cluster(backends=[{"name": "cache", "redis": backend}], stores=[{"name": "main", "backend": "cache"}],
                   service={"replicas": 2})


def said(bed):
    return bed.get("storagecluster", "demo").get("status", {}).get("redis", [{}])[0]


def in_step(bed):
    """The master, once everybody has what it has."""
    now = said(bed)
    return now["master"] if now.get("state") == "Serving" and now.get("replicasInStep") == 2 else None


def another(bed, former):
    now = said(bed)
    return now["master"] if now.get("state") == "Serving" and now["master"] != former else None


def ended(bed, name, end, lossless):
    """What became of the writes while `end` ended the master."""
    former = until("all servers are in step", lambda: in_step(bed), CONVERGE, pause=0.5)
    with Load(bed, name=name) as load:
        before, started = load.now(), time.monotonic()
        end(former)
        now = until("another server is the master", lambda: another(bed, former), CONVERGE)
        taken = time.monotonic() - started
        load.goes_on()
        may_lose = (0.0, 0.0) if lossless else (before - LOSS_BOUND, load.now())
        until("all servers are in step again", lambda: in_step(bed), CONVERGE, pause=0.5)
        bed.wait_ready()
        return f"{now} is the master {taken:.1f} s later; {load.finish(may_lose)}"


def run(bed):
    bed.install()
    bed.apply(redis())
    bed.wait_ready()
    deleted = ended(bed, "load", lambda pod: bed.kubectl("delete", "pod", pod, "--wait=false"), True)
    killed = ended(bed, "load-of-a-crash",
                   lambda pod: bed.cluster.crash(bed.get("pod", pod)["status"]["containerStatuses"][0]["containerID"]), False)
    return f"deleted: {deleted}. killed (may lose {LOSS_BOUND} s): {killed}"
