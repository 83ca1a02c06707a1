"""terminationPolicy Delete: the claims of this cluster go with it; those of another cluster, and of nobody, stay."""

from testbed.bed import CONVERGE, cluster
from testbed.waiting import until


def run(bed):
    bed.operator()
    bed.apply(cluster())
    bed.apply(cluster(name="demo-2"))
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data-demo-9"},
             "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    bed.api.create("persistentvolumeclaims", bed.namespace, claim)
    bed.wait_ready()
    bed.wait_ready("demo-2")
    until("both claims are there", lambda: len(bed.claims()) == 3)
    bed.kubectl("delete", "storagecluster", "demo", "--wait=false")
    bed.wait_gone()
    until("its claim is gone", lambda: bed.claims() == ["data-demo-2-0", "data-demo-9"], CONVERGE)
