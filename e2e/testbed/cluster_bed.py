"""What a case on a whole cluster gets: a namespace that lets in restricted pods only, the chart, kubectl, and HTTP to its pods.
It knows nothing of the cluster but a kubeconfig, so that any cluster will do."""

import json
import os
import subprocess
import tempfile

from testbed import binaries
from testbed.bed import condition
from testbed.forward import Forward
from testbed.helm import CHART, Helm
from testbed.servers import kubectl_binary
from testbed.waiting import until

RELEASE, SYSTEM = "holdfast", "holdfast-e2e-system"
DEFINITION = "storageclusters.storage.holdfast.dev"
KINDS = "storagebackups,storagerestores,storagemigrations,storageclusters"
DEFINITIONS = (DEFINITION, "storagemigrations.storage.holdfast.dev", "storagebackups.storage.holdfast.dev",
               "storagerestores.storage.holdfast.dev")
STORE = "/v1/stores/_default/keys/"
# Pods are scheduled, pull images, start and get ready, and other things run on the machine.
CONVERGE = 300.0
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


class GivenCluster:
    """One that is there already, by $KUBECONFIG, whose nodes can pull the images of scripts/build_images.sh from the registry."""

    name = "cluster"
    description = "the cluster of $KUBECONFIG"

    def __init__(self, kubeconfig, registry):
        self.kubeconfig = kubeconfig
        self.chart_settings = (f"registry={registry.rstrip('/')}",)
        self._refuse_foreign_clusters()

    def _refuse_foreign_clusters(self):
        """The end of a run deletes all StorageClusters there are, which must have been made by a run."""
        done = subprocess.run([kubectl_binary(), "--kubeconfig", self.kubeconfig, "get", "crd", DEFINITION, "--ignore-not-found",
                               "--output=json"], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise binaries.Missing(f"the cluster of $KUBECONFIG does not answer: {done.stderr.strip()}")
        if done.stdout.strip():
            owner = json.loads(done.stdout)["metadata"].get("annotations", {}).get("meta.helm.sh/release-namespace")
            if owner != SYSTEM:
                raise binaries.Missing("Holdfast is installed in the cluster of $KUBECONFIG already, and these cases would remove it "
                                       "with all of its StorageClusters: give another cluster")

    def provide_volumes(self):
        """It has a provisioner."""

    def last_words(self):
        return ""

    def stop(self):
        """It goes on."""


class ClusterBed:
    def __init__(self, cluster, namespace, folder, programs=None):
        self.cluster, self.namespace, self.folder, self._programs = cluster, namespace, folder, programs
        self._forwards = []

    def __enter__(self):
        self.cluster.provide_volumes()
        self.make_namespace(self.namespace)
        return self

    def __exit__(self, *_):
        """Leaves nothing of the case; what it gives up waiting for shows in the next case."""
        for one in self._forwards:
            one.stop()
        self.try_kubectl("delete", KINDS, "--all", "--timeout=120s", timeout=150)
        self.try_kubectl("delete", "namespace", self.namespace, "--timeout=180s", timeout=200)

    def make_namespace(self, name):
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})

    # The chart --------------------------------------------------------------------------------------------------

    def helm(self):
        return Helm(self.folder, self.cluster.kubeconfig, SYSTEM, CONVERGE)

    def install(self, *settings):
        """Until the operator runs with these settings; nothing to do where an earlier case has done it."""
        self.make_namespace(SYSTEM)
        chosen = [part for one in (*self.cluster.chart_settings, *settings) for part in ("--set", one)]
        self.helm().run("upgrade", "--install", RELEASE, CHART, *chosen)
        self.kubectl("--namespace", SYSTEM, "rollout", "status", "deployment/holdfast", f"--timeout={CONVERGE:.0f}s",
                     timeout=CONVERGE + 30)
        self.kubectl("wait", "--for=condition=Established", *(f"crd/{one}" for one in DEFINITIONS), "--timeout=60s")

    def uninstall(self):
        """With every cluster and definition, as docs/install.md has it."""
        if self.try_kubectl("get", "crd", DEFINITION)[0] == 0:
            self.try_kubectl("delete", KINDS, "--all", "--all-namespaces", "--timeout=120s", timeout=150)
        self.helm().attempt("uninstall", RELEASE)
        self.try_kubectl("delete", "crd", *DEFINITIONS, "--ignore-not-found", "--timeout=60s")
        self.try_kubectl("delete", "namespace", SYSTEM, "--ignore-not-found", "--timeout=120s", timeout=150)

    # kubectl ----------------------------------------------------------------------------------------------------

    def command(self):
        return [kubectl_binary(), "--kubeconfig", self.cluster.kubeconfig, "--namespace", self.namespace,
                "--cache-dir", os.path.join(self.folder, "kubectl-cache")]

    def try_kubectl(self, *arguments, stdin=None, timeout=90):
        """(exit status, standard output, standard error)"""
        done = subprocess.run([*self.command(), *arguments], input=stdin, capture_output=True, text=True, timeout=timeout,
                              check=False)
        return done.returncode, done.stdout, done.stderr

    def kubectl(self, *arguments, stdin=None, timeout=90):
        status, output, errors = self.try_kubectl(*arguments, stdin=stdin, timeout=timeout)
        assert status == 0, f"kubectl {' '.join(arguments)}: {errors or output}"
        return output

    def holdfast(self, *arguments, timeout=90):
        """(exit status, standard output, standard error) of `kubectl holdfast`, for cases with OWN_NODE."""
        environment = dict(os.environ, PATH=f"{self._programs}:{os.environ['PATH']}")
        done = subprocess.run([kubectl_binary(), "holdfast", *arguments, "--kubeconfig", self.cluster.kubeconfig, "--namespace",
                               self.namespace], env=environment, capture_output=True, text=True, timeout=timeout, check=False)
        return done.returncode, done.stdout, done.stderr

    def apply(self, manifest):
        return self.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    def get(self, kind, name):
        """None when it is not there."""
        found = self.kubectl("get", kind, name, "--ignore-not-found", "--output=json")
        return json.loads(found) if found.strip() else None

    def items(self, kind, selector=""):
        return json.loads(self.kubectl("get", kind, "--selector", selector, "--output=json"))["items"]

    # Questions --------------------------------------------------------------------------------------------------

    def ready(self, name="demo"):
        one = self.get("storagecluster", name)
        assert one, f"{name} is not there"
        state = condition(one, "Ready")
        assert state.get("status") == "True", f"Ready is {state}"
        assert state["observedGeneration"] == one["metadata"]["generation"], f"Ready is about an older spec: {state}"
        return one

    def wait_ready(self, name="demo"):
        return until(f"{name} is Ready for its present generation", lambda: self.ready(name), CONVERGE, pause=0.5)

    def forward(self, target, port=8080):
        one = Forward(self.command(), target, port, tempfile.mkdtemp(dir=self.folder))
        self._forwards.append(one)
        return one

    def last_words(self):
        """What a person would look at first when a case fails."""
        looks = (("get", "pods", "--all-namespaces", "--output=wide"), ("get", KINDS, "--output=yaml"),
                 ("get", "events", "--sort-by=.lastTimestamp"), ("describe", "pods"),
                 ("logs", "--selector=app.kubernetes.io/part-of=holdfast", "--all-containers", "--prefix", "--tail=30"),
                 ("--namespace", SYSTEM, "logs", "deployment/holdfast", "--tail=40"))
        shown = [f"$ kubectl {' '.join(one)}\n{''.join(self.try_kubectl(*one)[1:])[-6000:]}" for one in looks]
        return "\n".join([*shown, self.cluster.last_words()])


def service_pods(bed):
    """The names of the pods of the service that are ready and not going."""
    return {pod["metadata"]["name"] for pod in bed.items("pods", "storage.holdfast.dev/role=service")
            if condition(pod, "Ready").get("status") == "True" and not pod["metadata"].get("deletionTimestamp")}


def all_serve(bed, backend="db"):
    """Whether every server of a PostgreSQL backend is ready and there is one that takes writes."""
    status = next(one for one in bed.ready()["status"]["backends"] if one["name"] == backend)
    return status["readyInstances"] == status["instances"] and status.get("primary")


def rotated(credentials):
    """The wish for new passwords that was carried out last."""
    return credentials["metadata"].get("annotations", {}).get("storage.holdfast.dev/rotated")


def entries(way):
    """Everything in the default store: {key: value}, of values that are texts."""
    found, cursor = {}, ""
    while True:
        status, _, body = way.request("GET", f"{STORE.rstrip('/')}?values=true&limit=10000&cursor={cursor}", timeout=60)
        assert status == 200, f"list: {status} {body[:300]}"
        page = json.loads(body)
        found |= {one["key"]: one["value"] for one in page["items"]}
        if page["complete"]:
            return found
        cursor = page["cursor"]


def put(way, key, value):
    status, _, body = way.request("PUT", STORE + key, value)
    assert status in (200, 201, 204), f"PUT {key}: {status} {body[:300]}"


def get(way, key):
    status, _, body = way.request("GET", STORE + key)
    assert status == 200, f"GET {key}: {status} {body[:300]}"
    return body
