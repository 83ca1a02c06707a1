"""A pod of two of the service is deleted, then one by force: clients that try again on another connection have 0 failed requests,
and everything acknowledged is there."""

from cases.pods_serve_a_postgres_cluster import postgres
from testbed.cluster_bed import CONVERGE, service_pods
from testbed.load import Load
from testbed.waiting import until

SERVERS = ("cluster",)
WAYS = (("deleted", ()), ("deleted by force", ("--grace-period=0", "--force")))


def run(bed):
    bed.install()
    bed.apply(postgres())
    bed.wait_ready()
    told = []
    for what, flags in WAYS:
        with Load(bed, name=f"load-{len(told)}") as load:
            former = service_pods(bed)
            bed.kubectl("delete", "--wait=false", "pod", min(former), *flags)
            until("another pod is ready", lambda: len(service_pods(bed) - {min(former)}) == 2, CONVERGE)
            bed.wait_ready()
            load.goes_on()
            told.append(f"{what}: {load.finish()}")
    return "; ".join(told)
