"""The passwords of a PostgreSQL backend are rotated under load: nobody is refused, and the former password opens nothing any more."""

import base64

from cases.pods_serve_a_postgres_cluster import postgres
from testbed.cluster_bed import CONVERGE, rotated
from testbed.load import Load
from testbed.waiting import until

SERVERS = ("cluster",)
CREDENTIALS = "demo-db-credentials"
LOGIN = ('IFS= read -r PGPASSWORD; export PGPASSWORD; '
         'psql "host=demo-db-primary user=holdfast dbname=holdfast sslmode=require" --no-psqlrc --tuples-only --command "select 1"')


def logs_in(bed, password):
    status, _, errors = bed.try_kubectl("exec", "--stdin", "demo-db-0", "--container", "postgres", "--", "sh", "-c", LOGIN,
                                        stdin=password + "\n")
    assert status == 0 or "authentication failed" in errors or "not permitted to log in" in errors, errors
    return status == 0


def run(bed):
    bed.install()
    bed.apply(postgres())
    bed.wait_ready()
    former = base64.b64decode(bed.get("secret", CREDENTIALS)["data"]["application-password"]).decode()
    assert logs_in(bed, former)
    with Load(bed) as load:
        bed.kubectl("annotate", "storagecluster", "demo", "storage.holdfast.dev/rotate-passwords=once")
        until("the passwords are rotated", lambda: rotated(bed.get("secret", CREDENTIALS)) == "once", 2 * CONVERGE, pause=0.5)
        bed.wait_ready()
        load.goes_on()
        refused = {why: count for why, count in load.account()["again"].items() if why[0].isdigit()}
        assert not refused, f"answers refused requests: {refused}"
        account = load.finish()
    until("the former password is refused", lambda: not logs_in(bed, former))
    return account
