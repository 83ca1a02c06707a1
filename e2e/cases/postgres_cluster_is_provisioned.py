"""One manifest with a PostgreSQL backend leads to servers, schema and service: every object is accepted by the server, Ready
becomes True, and at rest nothing is written. Deleted with Retain, volumes and passwords stay, and a new cluster takes them
over."""

from testbed.bed import CONVERGE, cluster, condition
from testbed.waiting import until


def postgres(policy="Retain", **service):
    return cluster(policy=policy, backends=[{"name": "db", "postgres": {"storage": {"size": "1Gi"}}}],
                   stores=[{"name": "main", "backend": "db"}], service=service or {"replicas": 2})


def gone_but_for(bed, kept):
    assert bed.storage_cluster() is None, "the cluster is still there"
    left = set(bed.children())
    assert left == kept, f"left behind: {sorted(left)}"
    return True


def run(bed):
    bed.operator()
    bed.apply(postgres())
    one = bed.wait_ready()
    assert condition(one, "MigrationsApplied").get("status") == "True", one["status"]
    backend = one["status"]["backends"][0]
    assert (backend["primary"], backend["instances"], backend["readyInstances"]) == ("demo-db-0", 3, 3), backend
    children = bed.children()
    for name in ("statefulsets/demo-db", "services/demo-db-primary", "services/demo-db-replicas", "deployments/demo",
                 "deployments/demo-db-pooler", "secrets/demo-db-credentials", "secrets/demo-db-tls", "secrets/demo-ca",
                 "networkpolicies/demo-db", "roles/demo-db"):
        assert name in children, f"{name} is not among {sorted(children)}"
    passwords = children["secrets/demo-db-credentials"]["data"]

    bed.expect_rest()

    bed.kubectl("delete", "storagecluster", "demo", "--wait=false")
    until("all but volumes and passwords is gone", lambda: gone_but_for(bed, {"secrets/demo-db-credentials"}), CONVERGE)
    assert bed.claims() == [f"pgdata-demo-db-{i}" for i in range(3)], bed.claims()
    bed.apply(postgres(policy="Delete", autoscaling={"minReplicas": 1, "maxReplicas": 3}))
    bed.wait_ready()
    children = bed.children()
    assert children["secrets/demo-db-credentials"]["data"] == passwords, "other passwords than the database knows"
    assert "horizontalpodautoscalers/demo" in children, sorted(children)
    bed.kubectl("delete", "storagecluster", "demo", "--wait=false")
    bed.wait_gone()
    until("its claims are gone", lambda: bed.claims() == [], CONVERGE)
