"""All operators are killed again and again: while PostgreSQL is provisioned, while service and servers roll, and in each step of a
rotation of passwords. What was begun comes to its end, 0 requests fail for who tries again, and everything acknowledged is there."""

from cases.pods_serve_a_postgres_cluster import postgres
from testbed.bed import condition
from testbed.cluster_bed import CONVERGE, SYSTEM, all_serve, rotated
from testbed.load import Load
from testbed.waiting import until

SERVERS = ("cluster",)
STEPS = ("Admitting", "Switching", "Retiring")
SERVERS_OF_DB = "storage.holdfast.dev/backend=db,storage.holdfast.dev/role=postgres"
STEP = "storage.holdfast.dev/rotation-step"


def kill_operators(bed):
    bed.kubectl("--namespace", SYSTEM, "delete", "pods", "--selector=app.kubernetes.io/name=holdfast-operator", "--grace-period=0",
                "--force")


def annotations(bed):
    return bed.get("secret", "demo-db-credentials")["metadata"].get("annotations", {})


def servers(bed):
    return {pod["metadata"]["uid"] for pod in bed.items("pods", SERVERS_OF_DB)}


def migrated(bed):
    return condition(bed.get("storagecluster", "demo"), "MigrationsApplied").get("status") == "True"


def changed():
    """Another memory of each server and another store: all of their pods are replaced."""
    resources = {"requests": {"memory": "500Mi"}}
    return postgres(backends=[{"name": "db", "postgres": {"storage": {"size": "1Gi"}, "resources": resources}}],
                    stores=[{"name": "main", "backend": "db"}, {"name": "more", "backend": "db"}], defaultStore="main")


def run(bed):
    bed.install()
    bed.apply(postgres())
    until("the servers are asked for", lambda: bed.get("statefulset", "demo-db"), CONVERGE)
    kill_operators(bed)
    until("a Job migrates", lambda: bed.items("jobs"), CONVERGE)
    kill_operators(bed)
    bed.wait_ready()
    assert migrated(bed), bed.get("storagecluster", "demo")["status"]
    with Load(bed) as load:
        former = servers(bed)
        bed.apply(changed())
        for left in (2, 1, 0):
            until(f"{left} former servers are left", lambda left=left: len(former & servers(bed)) <= left, 2 * CONVERGE, pause=0.5)
            kill_operators(bed)
        bed.wait_ready()
        until("all servers are back", lambda: all_serve(bed), CONVERGE)
        load.goes_on()

        bed.kubectl("annotate", "storagecluster", "demo", "storage.holdfast.dev/rotate-passwords=killed")
        for number, step in enumerate(STEPS):
            until(f"the rotation is at {step}", lambda at=number: annotations(bed).get(STEP) in STEPS[at:] or
                  rotated(bed.get("secret", "demo-db-credentials")), 2 * CONVERGE)
            kill_operators(bed)
        until("the passwords are rotated", lambda: rotated(bed.get("secret", "demo-db-credentials")) == "killed", 2 * CONVERGE)
        bed.wait_ready()
        load.goes_on()
        return load.finish()
