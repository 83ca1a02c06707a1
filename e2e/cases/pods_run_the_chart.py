"""`helm install` on a cluster whose nodes run pods: the operators get ready under the restricted Pod Security Standard, one leads,
`helm test` reaches them by their Service's name, and who may edit a namespace may make a StorageCluster there."""

import json

from testbed.cluster_bed import SYSTEM
from testbed.waiting import until

SERVERS = ("cluster",)


def run(bed):
    bed.install()
    pods = operators(bed)
    assert len(pods) == 2 and all(restarts(one) == 0 for one in pods), [one["metadata"]["name"] for one in pods]
    holder = bed.kubectl("--namespace", SYSTEM, "get", "lease", "holdfast-operator", "--output=jsonpath={.spec.holderIdentity}")
    assert any(holder.startswith(one["metadata"]["name"]) for one in pods), f"{holder} leads, and is none of the pods"
    assert "Phase:          Succeeded" in (told := bed.helm().run("test", "holdfast")), told
    users_may(bed, "view", "get")
    users_may(bed, "edit", "create")
    assert not may(bed, "view", "create"), "who may view may create"


def users_may(bed, role, verb):
    bed.kubectl("create", "rolebinding", role, f"--clusterrole={role}", f"--user=with-{role}")
    until(f"{role} holds {verb}", lambda: may(bed, role, verb))  # its controller adds ours in its own time


def may(bed, role, verb):
    return bed.try_kubectl("auth", "can-i", verb, "storageclusters", f"--as=with-{role}")[1].strip() == "yes"


def operators(bed):
    found = bed.kubectl("--namespace", SYSTEM, "get", "pods", "--selector=app.kubernetes.io/name=holdfast-operator",
                        "--output=json")
    return json.loads(found)["items"]


def restarts(pod):
    return sum(one["restartCount"] for one in pod["status"]["containerStatuses"])
