"""On a cluster that knows nothing of Holdfast: `helm install` brings all that the operator needs (its rights suffice to make a
cluster), `upgrade` brings newer definitions too, `rollback` goes back, and `uninstall` leaves clusters and definitions."""

import os
import shutil
import tempfile

import yaml
from testbed import servers
from testbed.api import Api, path_of
from testbed.bed import Bed, cluster
from testbed.helm import CHART, Helm
from testbed.processes import Process
from testbed.waiting import until

SERVERS = ("real",)
SLOW = True  # builds helm

DEFINITION = "storageclusters.storage.holdfast.dev"
DEPLOYMENT = "/apis/apps/v1/namespaces/ops/deployments/holdfast"


def run(bed):
    with tempfile.TemporaryDirectory(dir=bed.folder) as folder:
        server = servers.RealServer(folder)
        try:
            api, helm = Api(server.url, server.certificates), Helm(folder, server.kubeconfig, "ops")
            install(api, helm, older_chart(folder))
            with Bed(server, os.path.join(os.path.dirname(bed.service_binary), "holdfast-operator"), "apps", folder) as apps:
                check(server, apps, helm, folder)
            helm.run("install", "holdfast", CHART, "--set", "watchNamespaces={apps}")  # takes over what stayed
        finally:
            server.stop()


def install(api, helm, chart):
    # Where only pods of the restricted Pod Security Standard may run.
    for name, labels in (("apps", {}), ("ops", {"pod-security.kubernetes.io/enforce": "restricted"})):
        api.create("namespaces", None, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    notes = helm.run("install", "holdfast", chart, "--set", "watchNamespaces={apps}")
    assert "kubectl --namespace apps wait --for=condition=Ready storagecluster/demo" in notes, notes
    until("the definition is served", lambda: api.send("GET", path_of("storageclusters", "apps"))[0] == 200)


def check(server, apps, helm, folder):
    operator = as_the_pod_would(apps, server, template_is_admitted(apps.api), folder)
    try:
        apps.apply(cluster(policy="Retain"))
        apps.wait_ready()
        lease = apps.api.get("leases", "ops", "holdfast-operator")
        assert lease and lease["spec"]["holderIdentity"], lease
        assert_confined(apps.api)
        upgrades_and_rolls_back(helm, apps.api)
        helm.run("uninstall", "holdfast")
        assert apps.api.send("GET", DEPLOYMENT)[0] == 404, "the Deployment is still there"
        assert apps.api.get("customresourcedefinitions", name=DEFINITION), "uninstall took the definition along"
        assert apps.ready() and apps.claims() == ["data-demo-0"], "uninstall took a cluster along"
    finally:
        operator.stop()


def template_is_admitted(api):
    """The Deployment's pod, made as its controller would, in a namespace where only restricted pods are let in."""
    template = api.call("GET", DEPLOYMENT)["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "as-deployed", **template["metadata"]}, "spec": template["spec"]}
    pod["metadata"].pop("creationTimestamp", None)
    api.call("POST", "/api/v1/namespaces/ops/pods?dryRun=All&fieldValidation=Strict", pod)
    return template["spec"]["containers"][0]


def token(api):
    answer = api.call("POST", "/api/v1/namespaces/ops/serviceaccounts/holdfast/token",
                      {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
    return answer["status"]["token"]


def as_the_pod_would(apps, server, container, folder):
    """The operator with the arguments and the rights of the chart."""
    kubeconfig = os.path.join(folder, "as-deployed")
    servers.write_kubeconfig(kubeconfig, server.url, server.certificates)
    apps.kubectl("config", "unset", "users.e2e", "--kubeconfig", kubeconfig)
    apps.kubectl("config", "set-credentials", "e2e", "--token", token(apps.api), "--kubeconfig", kubeconfig)
    arguments = [*container["args"], "--kubeconfig", kubeconfig, "--admin-address=127.0.0.1", "--admin-port=0"]
    binary = os.path.join(os.path.dirname(apps.service_binary), container["command"][0])
    return Process("operator-as-deployed", [binary, *arguments], folder)


def assert_confined(api):
    """Its namespace only, and no more than it needs there."""
    def may(verb, group, resource, namespace):
        answer = api.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
                "user": "system:serviceaccount:ops:holdfast",
                "resourceAttributes": {"verb": verb, "group": group, "resource": resource, "namespace": namespace}}})
        return answer["status"]["allowed"]

    assert may("patch", "apps", "statefulsets", "apps")
    for refused in (("patch", "apps", "statefulsets", "default"), ("list", "", "pods", ""), ("create", "", "pods", "apps"),
                    ("escalate", "rbac.authorization.k8s.io", "roles", "apps"), ("create", "rbac.authorization.k8s.io", "clusterroles", ""),
                    ("update", "coordination.k8s.io", "leases", "apps")):
        assert not may(*refused), f"the operator may {refused}"


def older_chart(folder):
    """As of a release whose definition had one column fewer."""
    chart = os.path.join(folder, "older")
    shutil.copytree(CHART, chart)
    path = os.path.join(chart, "files", "crds", "storage.holdfast.dev_storageclusters.yaml")
    with open(path, encoding="utf-8") as file:
        definition = yaml.safe_load(file)
    definition["spec"]["versions"][0]["additionalPrinterColumns"].pop()
    with open(path, "w", encoding="utf-8") as file:
        yaml.safe_dump(definition, file)
    return chart


def upgrades_and_rolls_back(helm, api):
    def columns():
        return len(api.get("customresourcedefinitions", name=DEFINITION)["spec"]["versions"][0]["additionalPrinterColumns"])

    uid, older = api.get("customresourcedefinitions", name=DEFINITION)["metadata"]["uid"], columns()
    helm.run("upgrade", "holdfast", CHART, "--set", "watchNamespaces={apps}", "--set", "replicas=3")
    assert api.call("GET", DEPLOYMENT)["spec"]["replicas"] == 3
    assert columns() == older + 1, "upgrade left the older definition"
    helm.run("rollback", "holdfast", "1")
    assert api.call("GET", DEPLOYMENT)["spec"]["replicas"] == 2
    assert columns() == older
    assert api.get("customresourcedefinitions", name=DEFINITION)["metadata"]["uid"] == uid, \
        "the definition was made anew, and every cluster with it"
