"""PostgreSQL is backed up by pgBackRest, its cluster is deleted, and another one made of the repository has exactly what was
acknowledged up to a time."""

import datetime

from cases.pods_serve_a_postgres_cluster import postgres
from testbed.bed import cluster, condition
from testbed.cluster_bed import CONVERGE, STORE, get, put
from testbed.waiting import until

SERVERS = ("cluster",)
# A full backup, and a minute until what was written is archived.
PATIENCE = 3 * CONVERGE


def with_postgres(name, **more):
    one = {"name": "db", "postgres": {"instances": 2, "storage": {"size": "1Gi"}} | more}
    return cluster(name, "Retain", **(postgres()["spec"] | {"backends": [one], "terminationPolicy": "Retain"}))


def backups(bed):
    return (bed.get("storagecluster", "demo")["status"].get("backups") or [{}])[0]


def seconds(time):
    return datetime.datetime.fromisoformat(time.replace("Z", "+00:00"))


def run(bed):
    bed.install()
    backup = {"storage": {"size": "1Gi"}, "schedule": {"full": "@yearly", "differential": "* * * * *"}}
    bed.apply(with_postgres("demo", backup=backup))
    bed.wait_ready()
    until("there is a full backup", lambda: "lastFull" in backups(bed), PATIENCE, pause=1)
    until("BackupHealthy", lambda: condition(bed.get("storagecluster", "demo"), "BackupHealthy").get("status") == "True",
          PATIENCE, pause=1)
    way = bed.forward("service/demo")
    for i in range(10):
        put(way, f"before-{i}", b"x")
    time = datetime.datetime.now(datetime.timezone.utc)
    put(way, "after", b"x")
    written = datetime.datetime.now(datetime.timezone.utc)
    until("the repository has all that was written",
          lambda: seconds(backups(bed).get("lastDifferential", "1970-01-01T00:00:00Z")) > written, PATIENCE, pause=1)
    bed.kubectl("delete", "storagecluster", "demo", "--wait=true", "--timeout=120s")
    claims = ("pgdata-demo-db-0", "pgdata-demo-db-1")
    bed.kubectl("delete", "persistentvolumeclaim", *claims, "--wait=false")
    # A server whose repository has gone before it tries to archive until its grace of two minutes is over.
    until("the databases' volumes are gone", lambda: not any(bed.try_kubectl("get", "persistentvolumeclaim", name)[0] == 0
                                                             for name in claims), CONVERGE, pause=1)

    source = {"claimName": "repository-demo-db-backup-0", "toTime": time.isoformat().replace("+00:00", "Z")}
    bed.apply(with_postgres("past", restoreFrom=source, backup=backup))
    until("the restored cluster is ready", lambda: bed.ready("past"), PATIENCE, pause=1)
    way = bed.forward("service/past")
    for i in range(10):
        assert get(way, f"before-{i}") == b"x"
    status, _, body = way.request("GET", STORE + "after")
    assert status == 404, f"what was written behind the time is there: {status} {body[:300]}"
    put(way, "new", b"x")
