"""Plays the parts of a cluster that an API server alone does not have: the StatefulSet controller and its pods (claims are
made, status says ready), the Deployment and Job controllers (status says ready and done), Patroni (the first server of a
backend is labelled as its primary), the protection of claims (a deleted claim goes once no pod uses it, and here no pod does) and, beside
the real server, the garbage collector (what no living owner owns is deleted)."""

import http.client
import threading
import time

from testbed.api import Api, ApiError, path_of

CHILDREN = ("configmaps", "services", "serviceaccounts", "statefulsets", "poddisruptionbudgets", "secrets", "roles",
            "rolebindings", "networkpolicies", "deployments", "jobs", "horizontalpodautoscalers")
BACKEND = "storage.holdfast.dev/backend"
PROTECTION = "kubernetes.io/pvc-protection"


# How long after an owner has gone its children are looked for: one may still be written by whoever had not seen it go.
COLLECT_FOR = 10.0


class ClusterParts:
    def __init__(self, server, namespace):
        self._api = Api(server.url, server.certificates)
        self._real = server.real
        self._namespace = namespace
        self._owners = set()
        self._collect_until = 0.0
        self._stop = threading.Event()
        self.pods_get_ready = True
        self.server_may_be_away = False
        self.failure = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        self._stop.set()
        self._thread.join(10)

    def _run(self):
        while not self._stop.wait(0.1):
            try:
                self._stateful_sets()
                self._servers()
                self._deployments()
                self._jobs()
                self._release_claims()
                if self._real:
                    self._collect_garbage()
            except ApiError as error:
                # Somebody was faster; or a server that comes back does not serve every path yet. Look again.
                if error.status not in (404, 409) and not (self.server_may_be_away and error.status == 503):
                    self.failure = error
            except (OSError, http.client.HTTPException) as error:
                if not self.server_may_be_away:
                    self.failure = error

    def _stateful_sets(self):
        for one in self._api.items("statefulsets", self._namespace):
            name, spec = one["metadata"]["name"], one["spec"]
            if one["metadata"].get("deletionTimestamp"):
                continue
            replicas = spec.get("replicas", 1)
            for template in spec.get("volumeClaimTemplates", []):
                for ordinal in range(replicas):
                    self._claim(template, f"{template['metadata']['name']}-{name}-{ordinal}")
            ready = replicas if self.pods_get_ready else 0
            wanted = {"observedGeneration": one["metadata"]["generation"], "replicas": replicas, "readyReplicas": ready,
                      "availableReplicas": ready, "updatedReplicas": replicas, "currentReplicas": replicas,
                      "currentRevision": f"{name}-1", "updateRevision": f"{name}-1"}
            status = one.get("status", {})
            if any(status.get(field, 0) != value for field, value in wanted.items()):
                self._api.patch("statefulsets", self._namespace, name, {"status": wanted}, "status")

    def _servers(self):
        """The pods of a backend's StatefulSet, and Patroni's labels on them."""
        wanted = {}
        for one in self._api.items("statefulsets", self._namespace):
            labels = one["spec"]["template"]["metadata"]["labels"]
            if BACKEND not in labels or one["metadata"].get("deletionTimestamp"):
                continue
            for ordinal in range(one["spec"].get("replicas", 1)):
                carries = {"role": "master" if ordinal == 0 else "replica", "controller-revision-hash": one["metadata"]["name"] + "-1"}
                wanted[f"{one['metadata']['name']}-{ordinal}"] = (labels | carries, one["spec"]["template"]["spec"])
        there = {one["metadata"]["name"]: one for one in self._api.items("pods", self._namespace)}
        for name, one in there.items():
            if name not in wanted and BACKEND in one["metadata"].get("labels", {}):
                self._api.send("DELETE", path_of("pods", self._namespace, name) + "?gracePeriodSeconds=0")
        for name, (labels, spec) in wanted.items():
            if name not in there:
                pod = {"automountServiceAccountToken": False, "serviceAccountName": spec["serviceAccountName"],
                       "containers": [{"name": "postgres", "image": spec["containers"][0]["image"]}]}
                self._api.create("pods", self._namespace, {"apiVersion": "v1", "kind": "Pod", "spec": pod,
                                                           "metadata": {"name": name, "labels": labels}})
            elif not there[name].get("status", {}).get("conditions") and self.pods_get_ready:
                ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
                self._api.patch("pods", self._namespace, name, ready, "status")

    def _deployments(self):
        for one in self._api.items("deployments", self._namespace):
            replicas = one["spec"].get("replicas", 1)
            ready = replicas if self.pods_get_ready else 0
            wanted = {"observedGeneration": one["metadata"]["generation"], "replicas": replicas, "readyReplicas": ready,
                      "availableReplicas": ready, "updatedReplicas": replicas}
            status = one.get("status", {})
            if any(status.get(field, 0) != value for field, value in wanted.items()):
                self._api.patch("deployments", self._namespace, one["metadata"]["name"], {"status": wanted}, "status")

    def _jobs(self):
        for one in self._api.items("jobs", self._namespace):
            if one.get("status", {}).get("conditions"):
                continue
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            done = [{"type": kind, "status": "True", "lastProbeTime": now, "lastTransitionTime": now}
                    for kind in ("SuccessCriteriaMet", "Complete")]
            status = {"startTime": now, "completionTime": now, "succeeded": 1, "conditions": done}
            self._api.patch("jobs", self._namespace, one["metadata"]["name"], {"status": status}, "status")

    def _claim(self, template, name):
        if self._api.get("persistentvolumeclaims", self._namespace, name) is None:
            metadata = {"name": name, "labels": template["metadata"].get("labels", {})}
            claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": template["spec"]}
            self._api.create("persistentvolumeclaims", self._namespace, claim)

    def _release_claims(self):
        for one in self._api.items("persistentvolumeclaims", self._namespace):
            metadata = one["metadata"]
            if metadata.get("deletionTimestamp") and PROTECTION in metadata.get("finalizers", []):
                others = [name for name in metadata["finalizers"] if name != PROTECTION]
                body = {"metadata": {"finalizers": others, "resourceVersion": metadata["resourceVersion"]}}
                self._api.patch("persistentvolumeclaims", self._namespace, metadata["name"], body)

    def _collect_garbage(self):
        if self._owners - self._owner_uids():
            self._collect_until = time.monotonic() + COLLECT_FOR
        if time.monotonic() < self._collect_until:
            # Children first: an owner that is made between the two lists is missed in neither.
            children = [(kind, one) for kind in CHILDREN for one in self._api.items(kind, self._namespace)]
            owners = self._owner_uids()
            for kind, one in children:
                references = [ref for ref in one["metadata"].get("ownerReferences", []) if ref["kind"] == "StorageCluster"]
                if references and not any(reference["uid"] in owners for reference in references):
                    self._api.delete(kind, self._namespace, one["metadata"]["name"], one["metadata"]["uid"])
        self._owners = self._owner_uids()

    def _owner_uids(self):
        return {one["metadata"]["uid"] for one in self._api.items("storageclusters", self._namespace)}
