"""The pod of an embedded cluster is deleted by force: another one takes its place and its volume, and everything acknowledged is
there. Nobody serves in between, which is why such a cluster is not for who cannot wait: clients try again until it does."""

import time

from testbed.bed import cluster, condition
from testbed.cluster_bed import CONVERGE
from testbed.load import Load
from testbed.waiting import until

SERVERS = ("cluster",)


def replaced(bed, uid):
    """The former one may go on answering for a moment; what it acknowledges counts as well."""
    pod = bed.get("pod", "demo-0")
    return pod and pod["metadata"]["uid"] != uid and condition(pod, "Ready").get("status") == "True"


def run(bed):
    bed.install()
    bed.apply(cluster())
    bed.wait_ready()
    with Load(bed) as load:
        uid = bed.get("pod", "demo-0")["metadata"]["uid"]
        bed.kubectl("delete", "pod", "demo-0", "--grace-period=0", "--force")
        started = time.monotonic()
        until("another pod is ready", lambda: replaced(bed, uid), CONVERGE)
        ready = time.monotonic() - started
        load.goes_on()
        bed.wait_ready()
        starts = 1 + bed.get("pod", "demo-0")["status"]["containerStatuses"][0]["restartCount"]
        return f"another pod was ready {ready:.1f} s after the kill, started {starts} times; {load.finish()}"
