"""One manifest with a Redis backend leads to a server and the service: every object is accepted by the API server, Ready becomes
True, and at rest nothing is written. Deleted with Retain only the volume stays, and a new cluster takes it over."""

from testbed.bed import CONVERGE, cluster
from testbed.waiting import until


def redis(policy="Retain"):
    backend = {"storage": {"size": "1Gi"}, "maxMemory": "64Mi", "persistence": {"fsync": "always"}}
    return cluster(policy=policy, backends=[{"name": "cache", "redis": backend}],
                   stores=[{"name": "main", "backend": "cache", "durable": True}], service={"replicas": 2})


def gone(bed):
    assert bed.storage_cluster() is None, "the cluster is still there"
    left = set(bed.children())
    assert not left, f"left behind: {sorted(left)}"
    return True


def run(bed):
    bed.operator()
    bed.apply(redis())
    backend = bed.wait_ready()["status"]["backends"][0]
    assert (backend["type"], backend["phase"], backend["primary"]) == ("redis", "Ready", "demo-cache-0"), backend
    children = bed.children()
    for name in ("statefulsets/demo-cache", "services/demo-cache-primary", "services/demo-cache-pods", "deployments/demo",
                 "configmaps/demo-cache-settings", "secrets/demo-cache-credentials", "secrets/demo-cache-tls", "secrets/demo-ca",
                 "networkpolicies/demo-cache", "poddisruptionbudgets/demo-cache"):
        assert name in children, f"{name} is not among {sorted(children)}"

    bed.expect_rest()

    bed.kubectl("delete", "storagecluster", "demo", "--wait=false")
    until("all but the volume is gone", lambda: gone(bed), CONVERGE)
    assert bed.claims() == ["redisdata-demo-cache-0"], bed.claims()
    bed.apply(redis(policy="Delete"))
    bed.wait_ready()
    bed.kubectl("delete", "storagecluster", "demo", "--wait=false")
    bed.wait_gone()
    until("its claim is gone", lambda: bed.claims() == [], CONVERGE)
