"""Whatever the values, the chart passes `helm lint` and every object it renders is one that the API server takes as it is, with
no unknown field; values that do not exist are refused by name."""

import subprocess
import tempfile

import yaml
from testbed import servers
from testbed.api import Api
from testbed.helm import CHART, KUBE_VERSION, Helm, monitoring_definitions
from testbed.waiting import until

SERVERS = ("real",)
SLOW = True  # builds helm

ALL_MONITORING = [f"monitoring.{name}=true" for name in ("serviceMonitor", "podMonitor", "prometheusRule", "dashboard")]
DIGEST = "sha256:" + "0123456789abcdef" * 4
MATRIX = {
    "defaults": [],
    "one replica": ["replicas=1"],
    "two namespaces": ["watchNamespaces={blue,green}"],
    "monitoring": [*ALL_MONITORING, "monitoring.labels.release=prometheus", "monitoring.runbookUrl=https://docs.example/runbooks.md"],
    "monitoring of one namespace": [*ALL_MONITORING, "watchNamespaces={blue}"],
    "nothing that can be left out": ["crds.install=false", "rbac.create=false", "rbac.userRoles=false", "serviceAccount.create=false",
                                     "serviceAccount.name=mine", "podDisruptionBudget.create=false"],
    "images by digest from a registry": ["registry=registry.example:5000/team", f"image.digest={DIGEST}",
                                         f"serviceImage.digest={DIGEST}", "imagePullSecrets[0].name=registry"],
    "network policy": ["networkPolicy.create=true", "networkPolicy.egressPorts={443}",
                       "networkPolicy.from[0].namespaceSelector.matchLabels.team=monitoring"],
    "scheduling": ["priorityClassName=system-cluster-critical", "nodeSelector.disk=ssd", "tolerations[0].operator=Exists",
                   "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight=1",
                   "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].key=a",
                   "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].operator=Exists",
                   "topologySpreadConstraints[0].maxSkew=1", "topologySpreadConstraints[0].topologyKey=zone",
                   "topologySpreadConstraints[0].whenUnsatisfiable=DoNotSchedule", "podLabels.team=a", "podAnnotations.note=b",
                   "serviceAccount.annotations.note=c"],
}
REFUSED = {
    "replica=3": "replica", "operator.logLevel=loud": "logLevel", "replicas=-1": "replicas", "image.digest=abc": "digest",
    "operator.retryPeriod=soon": "retryPeriod", "watchNamespaces={Blue}": "watchNamespaces", "monitoring.interval=": "interval", "registry=a.example/": "registry",
}


def arguments(settings):
    return [word for one in settings for word in ("--set", one)]


class DryRun:
    """Applies objects without keeping them; unknown and doubled fields are errors."""

    def __init__(self, server):
        self._api = Api(server.url, server.certificates)
        self._paths = {}

    def path(self, one):
        version = one["apiVersion"]
        prefix = "/api/" + version if "/" not in version else "/apis/" + version
        if version not in self._paths:
            self._paths[version] = {row["kind"]: row for row in self._api.call("GET", prefix)["resources"] if "/" not in row["name"]}
        kind = self._paths[version][one["kind"]]
        scope = f"/namespaces/{one['metadata']['namespace']}" if kind["namespaced"] else ""
        return f"{prefix}{scope}/{kind['name']}/{one['metadata']['name']}"

    def apply(self, one):
        self._api.call("PATCH", self.path(one) + "?dryRun=All&fieldManager=chart&force=true&fieldValidation=Strict", one,
                       "application/apply-patch+yaml")


def run(bed):
    with tempfile.TemporaryDirectory(dir=bed.folder) as folder:
        server = servers.RealServer(folder)  # one without our definitions, and with those of the Prometheus operator
        try:
            return check(server, folder)
        finally:
            server.stop()


def check(server, folder):
    api = Api(server.url, server.certificates)
    for path in monitoring_definitions():
        subprocess.run([servers.kubectl_binary(), "--kubeconfig", server.kubeconfig, "apply", "--server-side", "-f", path],
                       check=True, capture_output=True)
    until("the Prometheus operator's kinds are served",
          lambda: len(api.call("GET", "/apis/monitoring.coreos.com/v1")["resources"]) >= 3)
    for name in ("ops", "blue", "green"):
        api.create("namespaces", None, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    # Dry runs of test pods need the account that the release's namespace has in a whole cluster.
    api.create("serviceaccounts", "ops", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}})
    helm, dry_run, count = Helm(folder, namespace="ops"), DryRun(server), 0
    for what, settings in MATRIX.items():
        helm.run("lint", "--strict", CHART, *KUBE_VERSION, *arguments(settings))
        for one in helm.render(*arguments(settings)):
            try:
                dry_run.apply(one)
            except AssertionError as error:
                raise AssertionError(f"{what}: {one['kind']} {one['metadata']['name']}: {error}\n{yaml.safe_dump(one)}") from error
            count += 1
    for setting, name in REFUSED.items():
        status, _, errors = helm.attempt("template", "release", CHART, *KUBE_VERSION, "--set", setting)
        assert status != 0 and name in errors, f"{setting}: {errors or 'was accepted'}"
    return f"{len(MATRIX)} sets of values, {count} objects, {len(REFUSED)} refusals"
