"""A change that replaces the service's pods while it is used: clients that try again on another connection have 0 failed requests,
and everything acknowledged is there."""

from cases.pods_serve_a_postgres_cluster import postgres
from testbed.cluster_bed import service_pods
from testbed.load import Load

SERVERS = ("cluster",)


def run(bed):
    bed.install()
    bed.apply(postgres())
    bed.wait_ready()
    former = service_pods(bed)
    assert len(former) == 2, former
    with Load(bed) as load:
        bed.apply(postgres(stores=[{"name": "main", "backend": "db"}, {"name": "more", "backend": "db"}], defaultStore="main"))
        bed.wait_ready()
        assert not former & service_pods(bed), "a pod of before is still there"
        load.goes_on()
        return load.finish()
