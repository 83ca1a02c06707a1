"""`helm upgrade` to a next release with one more step of the schema, under load: with migrations.policy Manual the Job waits for its
annotation while the former service keeps serving; then it runs, and the next service replaces the former, with 0 failed requests."""

import json
import re

from cases.pods_serve_a_postgres_cluster import postgres
from testbed import images
from testbed.bed import condition
from testbed.cluster_bed import CONVERGE, service_pods
from testbed.load import Load
from testbed.waiting import until

SERVERS = ("cluster",)
OWN_NODE = True  # the image of the next release is only there


def waits_for_approval(bed, former=""):
    """The name of the Job that the condition asks to approve."""
    found = condition(bed.get("storagecluster", "demo"), "MigrationsApplied")
    assert found.get("reason") == "WaitingForApproval", found
    job = re.search(r"apply-migrations=(\S+)", found["message"])[1]
    assert job != former, found
    return job


def approve(bed, job):
    assert bed.get("job", job) is None, f"Job {job} did not wait"
    bed.kubectl("annotate", "--overwrite", "storagecluster", "demo", f"storage.holdfast.dev/apply-migrations={job}")
    one = bed.wait_ready()
    assert condition(one, "MigrationsApplied").get("status") == "True", one["status"]
    assert condition(bed.get("job", job), "Complete").get("status") == "True", bed.get("job", job)["status"]


def schema_version(bed):
    """As the service's own program sees it, which needs just that one."""
    told = json.loads(bed.kubectl("exec", min(service_pods(bed)), "--", "holdfast", "migrate", "status", "--json", "--config",
                                  "/etc/holdfast/holdfast.yaml", "--backend", "db"))
    assert told["current"], told
    return told["version"]


def run(bed):
    bed.install()
    bed.apply(postgres(migrations={"policy": "Manual"}))
    first = until("the first Job waits for approval", lambda: waits_for_approval(bed), CONVERGE)
    assert not service_pods(bed), "the service runs without a schema"
    approve(bed, first)
    former, version = service_pods(bed), schema_version(bed)
    with Load(bed) as load:
        bed.install(f"serviceImage.tag={images.next_service().partition(':')[2]}")
        second = until("the next Job waits for approval", lambda: waits_for_approval(bed, first), CONVERGE)
        load.goes_on()
        assert service_pods(bed) == former, "the former service does not keep serving"
        approve(bed, second)
        assert not former & service_pods(bed), "a former pod is still there"
        assert schema_version(bed) == version + 1, "the next step was not applied"
        load.goes_on()
        return load.finish()
