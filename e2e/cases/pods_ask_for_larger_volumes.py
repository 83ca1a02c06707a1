"""A larger storage.size: where the storage class allows expansion the claim asks for it, where it does not the condition Degraded
says so with the API server's words; the service serves on in either case."""

from testbed.bed import cluster, condition
from testbed.cluster_bed import CONVERGE, get, put
from testbed.waiting import until

SERVERS = ("cluster",)
DEFAULT = "storageclass.kubernetes.io/is-default-class"
OF_OURS = "local-growing"  # of the node of our own: the class allows it, and nobody does it
LARGER = "2Gi"


def classes(bed):
    """{name: whether it allows expansion} of the default class and the one of our own node's that does."""
    found = {one["metadata"]["name"]: one for one in bed.items("storageclasses")}
    wanted = [name for name, one in found.items()
              if name == OF_OURS or one["metadata"].get("annotations", {}).get(DEFAULT) == "true"]
    return {name: bool(found[name].get("allowVolumeExpansion")) for name in wanted}


def sized(name, storage_class, size):
    storage = {"size": size, "storageClassName": storage_class}
    return cluster(name, backends=[{"name": "local", "embedded": {"storage": storage}}])


def requested(bed, name):
    return bed.get("persistentvolumeclaim", f"data-{name}-0")["spec"]["resources"]["requests"]["storage"]


def refusal(bed, name):
    found = condition(bed.get("storagecluster", name), "Degraded")
    assert (found.get("status"), found.get("reason")) == ("True", "VolumeResizeFailed"), found
    return found["message"]


def run(bed):
    bed.install()
    told = []
    for number, (storage_class, grows) in enumerate(classes(bed).items()):
        name = f"demo-{number}"
        bed.apply(sized(name, storage_class, "1Gi"))
        bed.wait_ready(name)
        way = bed.forward(f"service/{name}")
        put(way, "greeting", b"hello")
        bed.apply(sized(name, storage_class, LARGER))
        if grows:
            until("the claim asks for more", lambda name=name: requested(bed, name) == LARGER, CONVERGE)
            told.append(f"{storage_class}: {LARGER} asked for")
        else:
            message = until("the refusal is told", lambda name=name: refusal(bed, name), CONVERGE)
            assert f"data-{name}-0" in message, message
            assert requested(bed, name) == "1Gi"
            told.append(f"{storage_class}: {message}")
        assert get(way, "greeting") == b"hello"
    return "; ".join(told)
