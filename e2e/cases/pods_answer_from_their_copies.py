"""The only server of PostgreSQL is gone and no node takes its pod: stores with a secondary go on answering from the copies that each
pod of the service has, their pods stay ready, and writes are refused. When the server is back they are taken again, and everything
acknowledged is there."""

import json

from cases.pods_are_drained import cordon
from testbed.bed import cluster
from testbed.cluster_bed import CONVERGE, service_pods
from testbed.forward import Unreachable
from testbed.waiting import until

SERVERS = ("cluster",)
KEYS = 20
STORES = [{"name": "ha", "failover": {"primary": "db", "secondary": "spare", "maxLag": "10m"}},
          {"name": "fast", "tiered": {"store": "db", "cache": "hot"}}]


def composed():
    return cluster(backends=[{"name": "db", "postgres": {"instances": 1, "storage": {"size": "1Gi"}}},
                             {"name": "spare", "memory": {"maxBytes": "32Mi"}}, {"name": "hot", "memory": {"maxBytes": "32Mi"}}],
                   stores=STORES, service={"replicas": 2})


def key(store, number):
    return f"/v1/stores/{store}/keys/key-{number}"


def value(store, number):
    return f"{store} {number}".encode()


def failover(way):
    status, _, body = way.request("GET", "/v1/stores/ha")
    assert status == 200, body[:300]
    return json.loads(body)["composition"]["failover"]


def copied(ways):
    """Whether every pod has a copy of all there is."""
    copies = [failover(way)["copy"] for way in ways]
    return all(copy["complete"] and not copy["pending_keys"] and not copy["comparing"] for copy in copies)


def takes_a_write(way):
    try:
        return way.request("PUT", "/v1/stores/ha/keys/again", b"yes")[0] in (201, 204)
    except Unreachable:
        return False


def run(bed):
    bed.install()
    bed.apply(composed())
    bed.wait_ready()
    pods = service_pods(bed)
    assert len(pods) == 2, pods
    ways = [bed.forward(f"pod/{pod}") for pod in sorted(pods)]
    for store in ("ha", "fast"):
        for number in range(KEYS):
            status, _, body = ways[0].request("PUT", key(store, number), value(store, number))
            assert status == 201, body[:300]
            for way in ways:
                status, _, body = way.request("GET", key(store, number) + "?consistency=eventual")
                assert status == 404 or body == value(store, number), (store, number, status, body)
    until("every pod has its copy", lambda: copied(ways), CONVERGE)

    nodes = cordon(bed)
    try:
        bed.kubectl("delete", "pod", "demo-db-0", "--wait=false")
        for way in ways:
            until("the secondary answers", lambda way=way: failover(way)["serving"] == "secondary", CONVERGE)
        for way in ways:
            for number in range(KEYS):
                status, _, body = way.request("GET", key("ha", number))
                assert (status, body) == (200, value("ha", number)), (number, status, body[:300])
            status, _, body = way.request("PUT", key("ha", 0), b"refused")
            assert status == 503, (status, body[:300])
        assert service_pods(bed) == pods, service_pods(bed)
        status, _, _ = ways[0].request("GET", key("fast", 0))
        assert status in (503, 504), f"a read that has to be the newest, while nobody can tell: {status}"
    finally:
        bed.kubectl("uncordon", *nodes)
    bed.wait_ready()
    for way in ways:
        until("writes are taken again", lambda way=way: takes_a_write(way), CONVERGE)
        for store in ("ha", "fast"):
            for number in range(KEYS):
                assert way.request("GET", key(store, number))[2] == value(store, number), (store, number)
