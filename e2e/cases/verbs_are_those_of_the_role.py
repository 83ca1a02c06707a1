"""What the operator may do is what it does: over a life that has everything in it, the audit log of the server and the rules
of `holdfast-operator rbac` are the same set of verbs, and nothing was refused (FAULTS P4)."""

from cases.postgres_cluster_is_provisioned import gone_but_for, postgres
from cases.store_is_made_ready_to_move import configuration, migration, two_backends
from testbed.bed import CONVERGE, cluster, condition
from testbed.waiting import until

SERVERS = ("real",)  # which knows RBAC and keeps an audit log
ACCOUNT = "audited-operator"
# Asked for by an admission plugin that is not on here, not by a request; of a PostgreSQL primary that has to be fenced.
NOT_SEEN = {("storage.holdfast.dev", "storageclusters/finalizers", "update"), ("", "pods", "delete")}
# Patroni's, whose Role the operator makes: nobody gives away what he does not have.
NOT_SEEN |= {("", "pods", "patch")}


def granted(bed):
    """{(group, resource, verb)}, from the roles as the server has them."""
    rules = bed.api.call("GET", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{bed.namespace}/roles/{ACCOUNT}")["rules"]
    rules += bed.api.call("GET", f"/apis/rbac.authorization.k8s.io/v1/namespaces/holdfast-system/roles/{ACCOUNT}-lease")["rules"]
    return {(group, resource, verb) for rule in rules for group in rule["apiGroups"] for resource in rule["resources"]
            for verb in rule["verbs"]}


def used(requests):
    found = set()
    for verb, group, resource, _, status in requests:
        found.add((group, resource, verb))
        if verb == "patch" and status == 201:  # an apply of what was not there is authorised as a create as well
            found.add((group, resource, "create"))
    return found


def live(bed):
    bed.apply(cluster(policy="DoNotTerminate"))
    uid = bed.wait_ready()["metadata"]["uid"]
    until("the claim is there", lambda: bed.claims() == ["data-demo-0"])
    owner = "storage.holdfast.dev/owner-uid"
    bed.kubectl("label", "persistentvolumeclaim", "data-demo-0", f"{owner}=somebody", "--overwrite")
    until("the claim is taken over", lambda: bed.api.get("persistentvolumeclaims", bed.namespace, "data-demo-0")[
        "metadata"]["labels"][owner] == uid, CONVERGE)
    for replicas in (0, 1, 0, 1):  # the same event again is a patch of the first one
        bed.kubectl("scale", "storagecluster", "demo", f"--replicas={replicas}")
        until(f"{replicas} replicas", lambda: bed.scaled(replicas), CONVERGE)
    bed.kubectl("annotate", "storagecluster", "demo", "storage.holdfast.dev/paused=true")
    until("it is paused", lambda: condition(bed.storage_cluster(), "Paused"), CONVERGE)
    bed.kubectl("annotate", "storagecluster", "demo", "storage.holdfast.dev/paused-")
    bed.kubectl("delete", "storagecluster", "demo", "--wait=false")
    until("the policy holds it", lambda: "DoNotTerminate" in condition(bed.storage_cluster(), "Degraded")["message"], CONVERGE)
    bed.kubectl("patch", "storagecluster", "demo", "--type=merge", "-p", '{"spec":{"terminationPolicy":"Delete"}}')
    bed.wait_gone()
    until("its claim is gone", lambda: bed.claims() == [], CONVERGE)
    live_with_a_migration(bed)
    live_with_a_backup(bed)
    live_with_a_schedule(bed)
    live_with_postgres(bed)


def live_with_a_migration(bed):
    bed.apply(two_backends())
    bed.wait_ready()
    bed.apply(migration())
    until("the service is told of the target", lambda: "migrate_to: new" in configuration(bed), CONVERGE)
    bed.kubectl("delete", "storagemigration", "move", "--timeout=30s")
    bed.kubectl("delete", "storagecluster", "demo", "--wait=false")
    bed.wait_gone()
    until("its claim is gone", lambda: bed.claims() == [], CONVERGE)


def run_of(kind, name, **spec):
    return {"apiVersion": "storage.holdfast.dev/v1", "kind": kind, "metadata": {"name": name},
            "spec": {"cluster": "demo", "store": "main"} | spec}


def live_with_a_backup(bed):
    """Of a cluster without a place for backups: one waits for it, the other has nothing to restore."""
    bed.apply(cluster())
    bed.wait_ready()
    bed.apply(run_of("StorageBackup", "nightly"))
    until("it is said what is missing", lambda: condition(bed.api.get(
        "storagebackups", bed.namespace, "nightly"), "Progressing").get("reason") == "NoPlace", CONVERGE)
    bed.apply(run_of("StorageRestore", "back", backup="nightly"))
    until("there is nothing to restore", lambda: condition(bed.api.get(
        "storagerestores", bed.namespace, "back"), "Failed").get("reason") == "NoBackup", CONVERGE)
    bed.kubectl("delete", "storagebackup,storagerestore", "--all", "--timeout=30s")
    bed.kubectl("delete", "storagecluster", "demo", "--wait=false")
    bed.wait_gone()
    until("its claim is gone", lambda: bed.claims() == [], CONVERGE)


def live_with_a_schedule(bed):
    """Its StorageBackups fail, as nobody serves the store, and the second tick's puts the first one's out."""
    bed.apply(cluster(backups={"claimName": "backups", "schedules": [
        {"name": "often", "store": "main", "schedule": "* * * * *", "deadline": "10s", "failedHistoryLimit": 1}]}))
    made = set()

    def first_went():
        there = {one["metadata"]["name"] for one in bed.api.items("storagebackups", bed.namespace)}
        made.update(there)
        return made - there

    until("the first tick's StorageBackup is gone", first_went, 180 + CONVERGE)
    bed.kubectl("delete", "storagecluster", "demo", "--wait=false")
    bed.wait_gone()
    until("its claim is gone", lambda: bed.claims() == [], CONVERGE)


def live_with_postgres(bed):
    bed.apply(postgres())
    bed.wait_ready()
    bed.kubectl("delete", "storagecluster", "demo", "--wait=false")
    until("only the passwords are left", lambda: gone_but_for(bed, {"secrets/demo-db-credentials"}), CONVERGE)
    bed.apply(postgres(policy="Delete", autoscaling={"minReplicas": 1, "maxReplicas": 3}))
    bed.wait_ready()
    bed.kubectl("delete", "storagecluster", "demo", "--wait=false")
    bed.wait_gone()
    until("its claims are gone", lambda: bed.claims() == [], CONVERGE)


def run(bed):
    bed.server.allow(bed.binary, "--namespace", bed.namespace, "--service-account", ACCOUNT)
    operator = bed.operator(certificates=bed.server.identity(ACCOUNT),
                            flags=("--leader-elect-namespace=holdfast-system",))
    live(bed)
    operator.stop()
    requests = bed.server.requests_of(ACCOUNT)
    refused = {one for one in requests if one[4] in (401, 403)}
    assert not refused, f"refused: {sorted(refused)}"
    strange = {one[3] for one in requests} - {bed.namespace, "holdfast-system"}
    assert not strange, f"requests beyond its namespaces: {strange}"
    allowed, seen = granted(bed) - NOT_SEEN, used(requests)
    assert not allowed - seen, f"granted and never used: {sorted(allowed - seen)}"
    assert not seen - allowed, f"used and not granted: {sorted(seen - allowed)}"
    return f"{len(allowed)} verbs granted and used, {len(requests)} requests, none refused"
