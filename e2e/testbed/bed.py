"""What one case gets: a namespace of its own, an operator, kubectl, and the questions cases ask again and again."""

import json
import os
import re
import subprocess
import tempfile

from testbed.api import Api, path_of
from testbed.cluster_parts import CHILDREN, ClusterParts
from testbed.operator_process import Operator
from testbed.proxy import CountingProxy
from testbed.servers import kubectl_binary
from testbed.waiting import until

CONVERGE = 60.0  # FAULTS I1: at most so many seconds after the last fault


def cluster(name="demo", policy="Delete", **spec):
    """A StorageCluster of one embedded backend; keywords replace fields of its spec."""
    body = {
        "backends": [{"name": "local", "embedded": {"storage": {"size": "1Gi"}, "cacheSize": "64Mi"}}],
        "stores": [{"name": "main", "backend": "local"}],
        "service": {"replicas": 1},
        "terminationPolicy": policy,
    }
    return {"apiVersion": "storage.holdfast.dev/v1", "kind": "StorageCluster", "metadata": {"name": name}, "spec": body | spec}


def condition(one, kind):
    return next((row for row in one.get("status", {}).get("conditions", []) if row["type"] == kind), {})


class Bed:
    def __init__(self, server, binary, namespace, folder):
        self.server, self.namespace, self.folder = server, namespace, folder
        self.api = Api(server.url, server.certificates)
        self.binary = binary
        self.service_binary = os.path.join(os.path.dirname(binary), "holdfast")
        self._operators, self._proxies = [], []
        self.parts = None

    def sibling(self, name):
        """Another namespace beside this one, with operators and proxies of its own; for `with`."""
        return Bed(self.server, self.binary, f"{self.namespace}-{name}", self.folder)

    def __enter__(self):
        if not self.api.get("namespaces", name=self.namespace):
            self.api.create("namespaces", None, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        self.parts = ClusterParts(self.server, self.namespace)
        return self

    def __exit__(self, kind, *_):
        """Leaves nothing running, and no cluster."""
        for operator in self._operators:
            operator.stop()
        for proxy in self._proxies:
            proxy.stop()
        for kind in ("storagebackups", "storagerestores", "storagemigrations", "storageclusters"):
            for one in self.api.items(kind, self.namespace):
                self.api.patch(kind, self.namespace, one["metadata"]["name"], {"metadata": {"finalizers": None}})
                self.api.delete(kind, self.namespace, one["metadata"]["name"])
        self.parts.stop()
        if self.parts.failure and kind is None:
            raise AssertionError(f"the played parts of the cluster failed: {self.parts.failure}")

    def operator(self, proxy=None, flags=("--leader-elect=false",), certificates=None):
        one = Operator(self.binary, self.server, self.namespace, tempfile.mkdtemp(dir=self.folder), proxy, flags, certificates)
        self._operators.append(one)
        one.start()
        return one

    def proxy(self):
        one = CountingProxy(self.server.url, self.server.operator_certificates)
        self._proxies.append(one)
        return one

    def operator_log(self):
        return "\n".join(operator.last_log() for operator in self._operators)

    # kubectl ------------------------------------------------------------------------------------------------------

    def try_kubectl(self, *arguments, stdin=None):
        """(exit status, standard output, standard error)"""
        command = [kubectl_binary(), "--kubeconfig", self.server.kubeconfig, "--namespace", self.namespace,
                   "--cache-dir", os.path.join(self.folder, "kubectl-cache"), *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=90, check=False)
        return done.returncode, done.stdout, done.stderr

    def kubectl(self, *arguments, stdin=None):
        status, output, errors = self.try_kubectl(*arguments, stdin=stdin)
        assert status == 0, f"kubectl {' '.join(arguments)}: {errors or output}"
        return output

    def apply(self, manifest):
        return self.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    def try_apply(self, manifest):
        return self.try_kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    # Questions ----------------------------------------------------------------------------------------------------

    def storage_cluster(self, name="demo"):
        return self.api.get("storageclusters", self.namespace, name)

    def children(self, name="demo"):
        """{"configmaps/demo-config": object} of what carries the cluster's label."""
        label = f"?labelSelector=storage.holdfast.dev%2Fcluster%3D{name}"
        found = {}
        for kind in CHILDREN:
            for one in self.api.call("GET", path_of(kind, self.namespace) + label)["items"]:
                found[f"{kind}/{one['metadata']['name']}"] = one
        return found

    def claims(self):
        return sorted(one["metadata"]["name"] for one in self.api.items("persistentvolumeclaims", self.namespace))

    def ready(self, name="demo"):
        one = self.storage_cluster(name)
        assert one, f"{name} is not there"
        state = condition(one, "Ready")
        assert state.get("status") == "True", f"Ready is {state}"
        assert state["observedGeneration"] == one["metadata"]["generation"], f"Ready is about an older spec: {state}"
        assert one["status"]["observedGeneration"] == one["metadata"]["generation"], one["status"]
        return one

    def wait_ready(self, name="demo"):
        return until(f"{name} is Ready for its present generation", lambda: self.ready(name), CONVERGE)

    def scaled(self, replicas, name="demo"):
        """Whether the cluster says, for its present generation, that it runs with so many replicas, and the StatefulSet has them."""
        one = self.storage_cluster(name)
        state, generation = condition(one, "Ready"), one["metadata"]["generation"]
        assert one["status"]["observedGeneration"] == state["observedGeneration"] == generation, f"Ready is about an older spec: {state}"
        expected = ("False", "ScaledToZero") if replicas == 0 else ("True", state["reason"])
        assert (state["status"], state["reason"]) == expected, f"Ready is {state}"
        found = self.children(name)["statefulsets/" + name]["spec"]["replicas"]
        assert found == replicas, f"the StatefulSet has {found} replicas, not {replicas}"
        return True

    def gone(self, name="demo"):
        assert self.storage_cluster(name) is None, f"{name} is still there"
        left = self.children(name)
        assert not left, f"left behind: {sorted(left)}"
        return True

    def wait_gone(self, name="demo"):
        until(f"{name} and its children are gone", lambda: self.gone(name), CONVERGE)

    def expect_rest(self):
        """Another cluster is made from nothing to Ready and goes again; meanwhile nothing of `demo` is written."""
        before = {name: child["metadata"]["resourceVersion"] for name, child in self.children().items()}
        self.apply(cluster(name="witness"))
        self.wait_ready("witness")
        self.kubectl("delete", "storagecluster", "witness", "--wait=false")
        self.wait_gone("witness")
        after = {name: child["metadata"]["resourceVersion"] for name, child in self.children().items()}
        assert before == after, f"written at rest: {[name for name in before if before[name] != after.get(name)]}"

    def final_objects(self, name="demo"):
        """The cluster, its children and its claims without what differs between two runs that ended the same way."""
        owner = self.storage_cluster(name)
        found = {f"storageclusters/{name}": owner} | self.children(name)
        for claim in self.claims():
            found[f"persistentvolumeclaims/{claim}"] = self.api.get("persistentvolumeclaims", self.namespace, claim)
        text = json.dumps({key: normalised(one) for key, one in found.items()}, sort_keys=True, indent=1)
        return text.replace(owner["metadata"]["uid"], "<uid>")


TIMES = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")
PER_RUN = {"uid", "resourceVersion", "creationTimestamp", "generation", "observedGeneration", "managedFields", "clusterIP",
           "clusterIPs", "storage.holdfast.dev/desired-hash", "kubectl.kubernetes.io/last-applied-configuration"}


def normalised(value):
    if isinstance(value, dict):
        return {key: normalised(one) for key, one in value.items() if key not in PER_RUN}
    if isinstance(value, list):
        return [normalised(one) for one in value]
    return "<time>" if isinstance(value, str) and TIMES.match(value) else value
