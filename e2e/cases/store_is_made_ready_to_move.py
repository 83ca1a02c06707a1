"""A StorageMigration says what is wrong with it, tells the service of the target, says what it waits for, and leaves nothing
behind when it is taken back before it could begin (no service runs here)."""

from testbed.bed import CONVERGE, cluster, condition
from testbed.waiting import until

NEW = {"name": "new", "embedded": {"storage": {"size": "1Gi"}, "cacheSize": "64Mi"}}


def migration(name="move", **spec):
    body = {"cluster": "demo", "store": "main", "to": "new"}
    return {"apiVersion": "storage.holdfast.dev/v1", "kind": "StorageMigration", "metadata": {"name": name}, "spec": body | spec}


def reason(bed, name="move", kind="Progressing"):
    state = condition(bed.api.get("storagemigrations", bed.namespace, name), kind)
    return f"{state.get('status')} {state.get('reason')}", state.get("message", "")


def waits_for(bed, wanted, name="move"):
    def holds():
        found, message = reason(bed, name)
        assert found == wanted, f"{found}: {message}"
        return message

    return until(f"{name} says {wanted}", holds, CONVERGE)


def configuration(bed):
    return bed.children()["configmaps/demo-config"]["data"]["holdfast.yaml"]


def two_backends(**more):
    return cluster(backends=[*cluster()["spec"]["backends"], NEW], **more)


def moved_spec_is_refused_in_place(bed):
    status, _, errors = bed.try_kubectl("patch", "stm", "move", "--type=merge", "-p", '{"spec":{"to":"local"}}')
    if bed.server.real:  # the double evaluates no rules
        assert status != 0 and "cannot change" in errors, errors


def run(bed):
    bed.operator()
    bed.apply(migration("wrong", to="far"))
    assert "make it" in waits_for(bed, "False InvalidReference", "wrong")
    bed.apply(two_backends())
    bed.wait_ready()
    until("the backend is missed", lambda: "has no backend far" in waits_for(bed, "False InvalidReference", "wrong"), CONVERGE)
    bed.kubectl("delete", "stm", "wrong", "--timeout=30s")

    bed.apply(migration())
    until("the service is told of the target", lambda: "migrate_to: new" in configuration(bed), CONVERGE)
    until("it waits for the pods", lambda: waits_for(bed, "True ConfigurationRollingOut"), CONVERGE)
    row = bed.kubectl("get", "stm", "move")
    for word in ("CLUSTER", "STORE", "FROM", "COMPLETE", "ConfigurationRollingOut", "local"):
        assert word in row, row
    moved_spec_is_refused_in_place(bed)
    bed.apply(migration("second"))
    assert "StorageMigration move moves store main" in waits_for(bed, "False AnotherMigration", "second")
    bed.kubectl("delete", "stm", "second")

    bed.kubectl("patch", "stm", "move", "--type=merge", "-p", '{"spec":{"abort":true}}')
    until("it has failed", lambda: reason(bed, kind="Failed")[0] == "True AbortRequested", CONVERGE)
    until("the service is told of no target", lambda: "migrate_to" not in configuration(bed), CONVERGE)
    assert "moves" not in bed.wait_ready()["status"]
    bed.kubectl("delete", "stm", "move", "--timeout=30s")

    # Deleted while it is being made ready.
    bed.apply(migration("other"))
    until("the service is told of the target", lambda: "migrate_to: new" in configuration(bed), CONVERGE)
    bed.kubectl("delete", "stm", "other", "--timeout=30s")
    until("the service is told of no target", lambda: "migrate_to" not in configuration(bed), CONVERGE)
