"""A pod that is none of a StorageCluster's reaches the service and neither its PostgreSQL, Patroni, pooler nor Redis; those who need
them do; and an operator that the chart's own NetworkPolicy is about does its work."""

import json
import urllib.parse

from cases.pods_serve_a_postgres_cluster import postgres
from testbed.cluster_bed import CONVERGE, get, put
from testbed.helm import CHART
from testbed.load import image
from testbed.waiting import until

SERVERS = ("cluster",)
OWN_NODE = True  # a given cluster's network plug-in may know no NetworkPolicies
STRANGER = "stranger"
# Whether a connection is made within this time, from where the script runs.
ASK = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3).close()
    print("reached")
except OSError:
    print("kept out")
"""


def stranger(bed):
    """A pod beside the cluster, with a Python."""
    bed.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": STRANGER}, "spec": {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "stranger", "image": image(bed), "imagePullPolicy": "IfNotPresent", "command": ["sleep", "3600"],
                        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}]}})
    bed.kubectl("wait", "--for=condition=Ready", f"pod/{STRANGER}", f"--timeout={CONVERGE:.0f}s", timeout=CONVERGE + 30)


def reaches(bed, pod, address, port):
    return bed.kubectl("exec", pod, "--", "python3", "-c", ASK, address, str(port)).strip() == "reached"


def address(bed, role):
    return bed.items("pods", f"storage.holdfast.dev/role={role}")[0]["status"]["podIP"]


def install(bed):
    """With the chart's own policy, which is told where this API server listens."""
    values = json.loads(bed.helm().run("show", "values", CHART, "--jsonpath", "{.networkPolicy.egressPorts}"))
    server = urllib.parse.urlsplit(bed.cluster.url).port
    ports = ",".join(str(port) for port in (*values, server))
    bed.install("networkPolicy.create=true", f"networkPolicy.egressPorts={{{ports}}}")


def run(bed):
    install(bed)
    small = {"storage": {"size": "1Gi"}}
    bed.apply(postgres(backends=[{"name": "db", "postgres": small}, {"name": "cache", "redis": small}],
                       stores=[{"name": "main", "backend": "db"}, {"name": "fast", "backend": "cache"}], defaultStore="main"))
    bed.wait_ready()
    way = bed.forward("service/demo")
    put(way, "greeting", b"hello")
    assert get(way, "greeting") == b"hello"
    stranger(bed)
    primary, other = (pod["status"]["podIP"] for pod in bed.items("pods", "storage.holdfast.dev/role=postgres")[:2])
    doors = {"PostgreSQL": (primary, 5432), "Patroni": (primary, 8008), "the pooler": (address(bed, "pooler"), 6432),
             "Redis": (address(bed, "redis"), 6379)}
    assert reaches(bed, STRANGER, "demo", 8080), "the service does not let a stranger in"
    entered = [name for name, (where, port) in doors.items() if reaches(bed, STRANGER, where, port)]
    assert not entered, f"a stranger reaches {', '.join(entered)}"
    # The same question, asked by one who may.
    member = "demo-db-0"
    assert reaches(bed, member, other, 5432) and reaches(bed, member, other, 8008), "the members do not reach each other"
    bed.kubectl("annotate", "storagecluster", "demo", "storage.holdfast.dev/paused=true")
    bed.kubectl("delete", "networkpolicies", "--all")
    until("without policies a stranger gets in everywhere",
          lambda: all(reaches(bed, STRANGER, where, port) for where, port in doors.values()))
    bed.kubectl("annotate", "storagecluster", "demo", "storage.holdfast.dev/paused-")
    until("the operator has made them again",
          lambda: not any(reaches(bed, STRANGER, where, port) for where, port in doors.values()), CONVERGE)
