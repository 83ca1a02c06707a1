"""The passwords of a PostgreSQL backend are rotated under load: nobody is refused, the former passwords open nothing any more, and no
server is restarted."""

import base64

from cases.pods_serve_a_postgres_cluster import postgres
from testbed.cluster_bed import CONVERGE, rotated
from testbed.load import Load
from testbed.waiting import until

SERVERS = ("cluster",)
CREDENTIALS = "demo-db-credentials"
LOGIN = ('IFS= read -r PGPASSWORD; export PGPASSWORD; '
         'psql "host=demo-db-primary user=$0 dbname=$1 sslmode=require" --no-psqlrc --tuples-only --command "select 1"')
# By the role that is in use at first: its database, and its file in the Secret.
ROLES = {"holdfast": ("holdfast", "application-password"), "postgres": ("postgres", "superuser-password"),
         "replicator": ("postgres", "replication-password"), "rewinder": ("postgres", "rewind-password")}


def logs_in(bed, user, password):
    status, _, errors = bed.try_kubectl("exec", "--stdin", "demo-db-0", "--container", "postgres", "--", "sh", "-c", LOGIN,
                                        user, ROLES[user][0], stdin=password + "\n")
    assert status == 0 or "authentication failed" in errors or "not permitted to log in" in errors, errors
    return status == 0


def run(bed):
    bed.install()
    bed.apply(postgres())
    bed.wait_ready()
    data = bed.get("secret", CREDENTIALS)["data"]
    former = {user: base64.b64decode(data[file]).decode() for user, (_, file) in ROLES.items()}
    for user, password in former.items():
        assert logs_in(bed, user, password), user
    server = bed.get("pod", "demo-db-0")["metadata"]["uid"]
    with Load(bed) as load:
        bed.kubectl("annotate", "storagecluster", "demo", "storage.holdfast.dev/rotate-passwords=once")
        until("the passwords are rotated", lambda: rotated(bed.get("secret", CREDENTIALS)) == "once", 2 * CONVERGE, pause=0.5)
        bed.wait_ready()
        load.goes_on()
        refused = {why: count for why, count in load.account()["again"].items() if why[0].isdigit()}
        assert not refused, f"answers refused requests: {refused}"
        account = load.finish()
    for user, password in former.items():
        until(f"the former password of {user} is refused", lambda: not logs_in(bed, user, password))
    assert bed.get("pod", "demo-db-0")["metadata"]["uid"] == server, "a server was replaced"
    return account
