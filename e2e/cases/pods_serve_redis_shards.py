"""A StorageCluster with a Redis Cluster serves. Under load the master of a shard is deleted, which hands over, and then a shard is
added, to which slots move with their keys: nothing acknowledged is lost, and requests fail for nobody who tries again."""

import time

from testbed.bed import cluster
from testbed.cluster_bed import CONVERGE
from testbed.load import Load
from testbed.waiting import until

SERVERS = ("cluster",)
SLOTS = 16384


def redis(shards):
    backend = {"mode": "Cluster", "shards": shards, "storage": {"size": "1Gi"}, "maxMemory": "64Mi",
               "cluster": {"nodeTimeoutMilliseconds": 3000}}
    return cluster(backends=[{"name": "cache", "redis": backend}], stores=[{"name": "main", "backend": "cache"}],
                   service={"replicas": 2})


def masters(bed, shards):
    """Of every shard, once all are served, each has a replica in step and no slot waits to be moved."""
    said = bed.get("storagecluster", "demo").get("status", {}).get("redis", [{}])[0]
    whole = said.get("state") == "Serving" and said.get("slotsCovered") == SLOTS and not said.get("slotsToMove")
    found = [one["master"] for one in said.get("shards", []) if one.get("serves") and one.get("replicasInStep") == 1]
    return found if whole and len(found) == shards else None


def run(bed):
    bed.install()
    bed.apply(redis(3))
    bed.wait_ready()
    former = until("every shard has a replica in step", lambda: masters(bed, 3), CONVERGE, pause=0.5)
    with Load(bed) as load:
        load.goes_on()
        bed.kubectl("delete", "pod", former[0], "--wait=false")
        until("its replica is the master", lambda: former[0] not in (masters(bed, 3) or [former[0]]), CONVERGE, pause=0.5)
        load.goes_on()
        started = time.monotonic()
        bed.apply(redis(4))
        until("a fourth shard has its slots", lambda: masters(bed, 4), 2 * CONVERGE, pause=0.5)
        taken = time.monotonic() - started
        load.goes_on()
        bed.wait_ready()
        return f"{former[0]} handed over; a fourth shard after {taken:.0f} s; {load.finish()}"
