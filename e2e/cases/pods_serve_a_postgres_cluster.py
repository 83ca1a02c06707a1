"""A StorageCluster with a PostgreSQL backend gets Ready: three members under Patroni, the schema migrated, and the service keeps in
it what is put."""

from testbed.bed import cluster, condition
from testbed.cluster_bed import get, put

SERVERS = ("cluster",)


def postgres(**spec):
    """Keywords replace fields of its spec."""
    return cluster(**{"backends": [{"name": "db", "postgres": {"storage": {"size": "1Gi"}}}],
                      "stores": [{"name": "main", "backend": "db"}], "service": {"replicas": 2}} | spec)


def run(bed):
    bed.install()
    bed.apply(postgres())
    one = bed.wait_ready()
    assert condition(one, "MigrationsApplied").get("status") == "True", one["status"]
    backend = one["status"]["backends"][0]
    assert (backend["instances"], backend["readyInstances"]) == (3, 3), backend
    pods = bed.items("pods", "storage.holdfast.dev/backend=db,role")
    roles = sorted(pod["metadata"]["labels"]["role"] for pod in pods)
    assert roles == ["master", "replica", "replica"], roles
    way = bed.forward("service/demo")
    put(way, "greeting", b"hello")
    assert get(way, "greeting") == b"hello"
