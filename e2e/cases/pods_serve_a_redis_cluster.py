"""A StorageCluster with a Redis backend gets Ready, the service keeps in it what is put, and its pod, deleted by force, comes back with
everything that was acknowledged."""

from testbed.bed import cluster
from testbed.cluster_bed import CONVERGE, get, put, service_pods
from testbed.waiting import until

SERVERS = ("cluster",)
KEYS = 20


def run(bed):
    bed.install()
    bed.apply(cluster(backends=[{"name": "cache", "redis": {"storage": {"size": "1Gi"}}}],
                      stores=[{"name": "main", "backend": "cache"}], service={"replicas": 2}))
    bed.wait_ready()
    way = bed.forward("service/demo")
    for number in range(KEYS):
        put(way, f"key-{number}", b"%d" % number)
    (pod,) = bed.items("pods", "storage.holdfast.dev/role=redis")
    bed.kubectl("delete", "pod", pod["metadata"]["name"], "--force", "--grace-period=0")
    until("another pod of Redis", lambda: any(one["metadata"]["uid"] != pod["metadata"]["uid"]
                                              for one in bed.items("pods", "storage.holdfast.dev/role=redis")), CONVERGE)
    until("the service is ready again", lambda: len(service_pods(bed)) == 2 and bed.ready(), CONVERGE, pause=0.5)
    way = bed.forward("service/demo")
    # The Service leads to the pod that is gone until kube-proxy has followed; until then requests are 503.
    until("the service reaches Redis again", lambda: get(way, "key-0"), CONVERGE)
    for number in range(KEYS):
        assert get(way, f"key-{number}") == b"%d" % number
