"""`helm install` on a cluster whose nodes run pods: the operators get ready under the restricted Pod Security Standard, one leads,
and `helm test` reaches them by their Service's name."""

import json

from testbed.cluster_bed import SYSTEM

SERVERS = ("cluster",)


def run(bed):
    bed.install()
    pods = operators(bed)
    assert len(pods) == 2 and all(restarts(one) == 0 for one in pods), [one["metadata"]["name"] for one in pods]
    holder = bed.kubectl("--namespace", SYSTEM, "get", "lease", "holdfast-operator", "--output=jsonpath={.spec.holderIdentity}")
    assert any(holder.startswith(one["metadata"]["name"]) for one in pods), f"{holder} leads, and is none of the pods"
    assert "Phase:          Succeeded" in (told := bed.helm().run("test", "holdfast")), told


def operators(bed):
    found = bed.kubectl("--namespace", SYSTEM, "get", "pods", "--selector=app.kubernetes.io/name=holdfast-operator",
                        "--output=json")
    return json.loads(found)["items"]


def restarts(pod):
    return sum(one["restartCount"] for one in pod["status"]["containerStatuses"])
