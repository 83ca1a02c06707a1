"""The server itself refuses, by schema and CEL rule, what cannot be, and names the field."""

from testbed.bed import cluster

SERVERS = ("real",)  # the double evaluates no rules; there the operator reports them (bad_spec_then_good)


def embedded(name="local", size="1Gi"):
    return {"name": name, "embedded": {"storage": {"size": size}}}


def redis(durable=False, **more):
    return cluster(backends=[{"name": "cache", "redis": {"storage": {"size": "1Gi"}} | more}],
                   stores=[{"name": "main", "backend": "cache", "durable": durable}])


REFUSED = {
    "no backends": (cluster(backends=[]), "backends"),
    "two backends of one name": (cluster(backends=[embedded(), embedded()]), "backends"),
    "a backend of no kind": (cluster(backends=[{"name": "local"}]), "backends"),
    "a backend of two kinds": (cluster(backends=[embedded() | {"memory": {"maxBytes": "64Mi"}}]), "backends"),
    "a store on an unknown backend": (cluster(stores=[{"name": "main", "backend": "nowhere"}]), "stores"),
    "an unknown default store": (cluster(defaultStore="nowhere"), "defaultStore"),
    "two replicas of data that is not shared": (cluster(service={"replicas": 2}), "replicas"),
    "negative replicas": (cluster(service={"replicas": -1}), "replicas"),
    "an unknown termination policy": (cluster(policy="Sometimes"), "terminationPolicy"),
    "a name that is too long": (cluster(name="a" * 41), "name"),
    "a size that is none": (cluster(backends=[embedded(size="much")]), "size"),
    "a durable store on redis without an append-only file":
        (redis(durable=True, persistence={"appendOnly": False, "fsync": "always"}), "durable"),
    "redis in a pod that is smaller than its data":
        (redis(maxMemory="1Gi", resources={"limits": {"memory": "0.5Gi"}}), "memory"),
    "redis of others with a size": (redis(external={"secretName": "shared"}), "redis"),
}


def run(bed):
    for what, (manifest, field) in REFUSED.items():
        status, _, errors = bed.try_apply(manifest)
        assert status != 0, f"{what} was accepted"
        assert field in errors, f"{what}: the refusal does not name {field}: {errors}"
    bed.apply(redis(maxMemory="256Mi", resources={"limits": {"memory": 1 << 30}}))
    status, _, errors = bed.try_apply(redis(persistence={"appendOnly": False}))
    assert status != 0 and "appendOnly" in errors, f"another persistence: {errors}"
    bed.kubectl("delete", "storagecluster", "demo")
    bed.apply(cluster(backends=[embedded(size="2Gi")]))
    status, _, errors = bed.try_apply(cluster(backends=[embedded(size="1Gi")]))
    assert status != 0 and "grow" in errors, f"a shrinking volume: {errors}"
    status, _, errors = bed.try_apply(cluster(backends=[{"name": "local", "memory": {"maxBytes": "64Mi"}}]))
    assert status != 0 and "kind" in errors, f"a backend of another kind: {errors}"
    return f"{len(REFUSED) + 3} refusals"
