"""A StorageMigration moves the store of two pods from Redis to PostgreSQL while it is written to: every acknowledged write is
there, clients that try again see nothing of it but pods that are replaced, and the store stays where it is when the
StorageMigration is deleted and when an old manifest is applied again."""

from testbed.bed import condition
from testbed.cluster_bed import CONVERGE
from testbed.load import Load
from testbed.waiting import until

SERVERS = ("cluster",)
MIGRATION = {"apiVersion": "storage.holdfast.dev/v1", "kind": "StorageMigration", "metadata": {"name": "move"},
             "spec": {"cluster": "demo", "store": "main", "to": "db", "cutOver": "Manual"}}


def demo(backend):
    return {"apiVersion": "storage.holdfast.dev/v1", "kind": "StorageCluster", "metadata": {"name": "demo"}, "spec": {
        "backends": [{"name": "cache", "redis": {"storage": {"size": "1Gi"}}},
                     {"name": "db", "postgres": {"instances": 1, "synchronous": {"standbys": 0}, "storage": {"size": "1Gi"},
                                                 "pooler": {"instances": 0}}}],
        "stores": [{"name": "main", "backend": backend}],
        "service": {"replicas": 2}, "terminationPolicy": "Delete"}}


def state(bed, kind):
    return condition(bed.get("storagemigration", "move"), kind)


def run(bed):
    bed.install()
    bed.apply(demo("cache"))
    bed.wait_ready()
    with Load(bed) as load:
        bed.apply(MIGRATION)
        until("reads are switched", lambda: state(bed, "Progressing").get("reason") == "WaitingForApproval", 2 * CONVERGE, pause=1)
        load.goes_on()
        bed.kubectl("patch", "stm", "move", "--type=merge", "-p", '{"spec":{"cutOver":"Approved"}}')
        until("the store is moved", lambda: state(bed, "Complete").get("status") == "True", CONVERGE, pause=1)
        load.goes_on()
        until("the spec is to be edited", lambda: condition(bed.ready(), "StoresAsSpecified").get("reason") == "StoreMoved", CONVERGE,
              pause=1)
        bed.kubectl("delete", "stm", "move", "--timeout=60s")
        bed.apply(demo("db"))
        bed.wait_ready()
        bed.apply(demo("cache"))
        bed.wait_ready()
        load.goes_on()
        return load.finish()
