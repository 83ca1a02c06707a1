"""One manifest with Redis servers and sentinels leads to both and the service: every object is accepted by the API server, the
service is told of them only when a first master was noted, and at rest nothing is written. What cannot be changed is refused, and
kept volumes are never begun with again."""

import base64

from testbed.bed import CONVERGE, cluster
from testbed.waiting import until


def redis(instances=2, policy="Retain", **more):
    backend = {"mode": "Sentinel", "instances": instances, "storage": {"size": "1Gi"}, "maxMemory": "64Mi", **more}
    return cluster(policy=policy, backends=[{"name": "cache", "redis": backend}], stores=[{"name": "main", "backend": "cache"}],
                   service={"replicas": 2})


def marker(bed):
    secret = bed.api.get("secrets", bed.namespace, "demo-cache-credentials")
    return base64.b64decode(secret["data"]["initialized"]).decode()


def gone(bed):
    assert bed.storage_cluster() is None, "the cluster is still there"
    left = set(bed.children())
    assert not left, f"left behind: {sorted(left)}"
    return True


def grown(bed):
    backend = bed.wait_ready()["status"]["backends"][0]
    assert backend["readyInstances"] == 3, backend
    return True


def run(bed):
    bed.operator()
    bed.apply(redis())
    backend = bed.wait_ready()["status"]["backends"][0]
    assert (backend["phase"], backend["sentinels"], backend["endpoint"]) == (
        "Ready", 3, f"demo-cache-sentinel.{bed.namespace}.svc:26379"), backend
    assert marker(bed) == "yes"
    children = bed.children()
    for name in ("statefulsets/demo-cache", "statefulsets/demo-cache-sentinel", "services/demo-cache-pods", "services/demo-cache-0",
                 "services/demo-cache-1", "services/demo-cache-sentinel-pods", "services/demo-cache-sentinel-2",
                 "services/demo-cache-sentinel", "deployments/demo", "networkpolicies/demo-cache-sentinel",
                 "poddisruptionbudgets/demo-cache-sentinel", "secrets/demo-cache-credentials"):
        assert name in children, f"{name} is not among {sorted(children)}"

    bed.expect_rest()

    if bed.server.real:  # the double evaluates no rules
        for refused, word in ((redis(sentinel={"replicas": 5}), "cannot change"), (redis(sentinel={"replicas": 4}), "odd")):
            status, output, errors = bed.try_apply(refused)
            assert status != 0 and word in errors, f"{output}{errors}"
    bed.apply(redis(instances=3))
    until("a third server is there", lambda: grown(bed), CONVERGE)

    bed.kubectl("delete", "storagecluster", "demo", "--wait=false")
    until("all but the volumes is gone", lambda: gone(bed), CONVERGE)
    assert len(bed.claims()) == 6, bed.claims()
    bed.apply(redis(instances=3, policy="Delete"))
    bed.wait_ready()
    assert marker(bed) == "yes"
    bed.kubectl("delete", "storagecluster", "demo", "--wait=false")
    bed.wait_gone()
    until("the claims are gone", lambda: bed.claims() == [], CONVERGE)
