"""In a cluster without a default StorageClass the status names the claim that gets no volume and what to do; when one is made the
default, the claim gets it, and its pod starts."""

from testbed.bed import cluster, condition
from testbed.cluster_bed import CONVERGE
from testbed.waiting import until

SERVERS = ("cluster",)
OWN_NODE = True  # the default of a given cluster is others' business
DEFAULT = "storageclass.kubernetes.io/is-default-class"


def make_default(bed, name, wanted):
    bed.kubectl("annotate", "storageclass", name, f"{DEFAULT}={str(wanted).lower()}", "--overwrite")


def run(bed):
    bed.install()
    (usual,) = (one["metadata"]["name"] for one in bed.items("storageclasses")
                if one["metadata"].get("annotations", {}).get(DEFAULT) == "true")
    make_default(bed, usual, False)
    try:
        bed.apply(cluster())
        told = until("the status tells of it",
                     lambda: (found := condition(bed.get("storagecluster", "demo"), "Degraded")).get("reason") == "NoStorageClass"
                     and found["message"], CONVERGE, pause=0.5)
        assert "data-demo-0" in told and "make one the default" in told, told
    finally:
        make_default(bed, usual, True)
    until("the claim has the class", lambda: bed.get("persistentvolumeclaim", "data-demo-0")["spec"].get("storageClassName") == usual,
          CONVERGE)
    bed.kubectl("delete", "pod", "demo-0")  # the scheduler looks at one that found no volume again, but only after minutes
    bed.wait_ready()
