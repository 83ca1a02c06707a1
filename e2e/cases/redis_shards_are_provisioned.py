"""One manifest with a Redis Cluster leads to its servers and their Services: every object is accepted by the API server, what does
not fit is refused with the remedy, the service is told of them only when every slot was given, shards can be added, and servers
whose slots nobody took stay."""

from testbed.bed import CONVERGE, cluster
from testbed.waiting import until


def redis(**more):
    backend = {"mode": "Cluster", "storage": {"size": "1Gi"}, "maxMemory": "64Mi", **more}
    return cluster(policy="Delete", backends=[{"name": "cache", "redis": backend}], stores=[{"name": "main", "backend": "cache"}],
                   service={"replicas": 2})


def refuse(bed, manifest, word):
    status, output, errors = bed.try_apply(manifest)
    assert status != 0 and word in errors, f"{word}: {output}{errors}"


def servers(bed):
    return bed.wait_ready()["status"]["backends"][0]["readyInstances"]


def looked_at(bed):
    one = bed.storage_cluster()
    return one["status"]["observedGeneration"] == one["metadata"]["generation"]


def run(bed):
    bed.operator()
    refuse(bed, redis(shards=2), "shards")
    if bed.server.real:  # the double evaluates no rules
        refuse(bed, redis(instances=3), "need mode Sentinel")
        refuse(bed, redis(persistence={"appendOnly": False}), "needs persistence.appendOnly true")
        refuse(bed, redis(cluster={"minReplicasToWrite": 2}), "at most replicasPerShard")
        refuse(bed, redis(shards=6, cluster={"partitions": 5}), "at most cluster.partitions")

    bed.apply(redis())
    backend = bed.wait_ready()["status"]["backends"][0]
    assert (backend["phase"], backend["readyInstances"], backend["endpoint"]) == (
        "Ready", 6, f"demo-cache.{bed.namespace}.svc:6379"), backend
    children = bed.children()
    for name in ("statefulsets/demo-cache", "services/demo-cache", "services/demo-cache-pods", "deployments/demo",
                 "networkpolicies/demo-cache", "poddisruptionbudgets/demo-cache", "secrets/demo-cache-credentials"):
        assert name in children, f"{name} is not among {sorted(children)}"

    if bed.server.real:
        for changed in (redis(replicasPerShard=2), redis(cluster={"partitions": 32})):
            refuse(bed, changed, "cannot change")
    bed.apply(redis(shards=4))
    until("the servers of a fourth shard are there", lambda: servers(bed) == 8, CONVERGE)
    bed.apply(redis())
    until("the smaller number was looked at", lambda: looked_at(bed), CONVERGE)
    assert bed.children()["statefulsets/demo-cache"]["spec"]["replicas"] == 8, "servers go before anybody has their slots"

    bed.kubectl("delete", "storagecluster", "demo", "--wait=false")
    bed.wait_gone()
    until("the claims are gone", lambda: bed.claims() == [], CONVERGE)
