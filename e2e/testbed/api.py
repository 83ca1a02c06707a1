"""The Kubernetes API over HTTP, as cases use it beside kubectl: JSON in, JSON out."""

import http.client
import json
import ssl
import urllib.parse

MERGE_PATCH = "application/merge-patch+json"
GROUP = "storage.holdfast.dev"
PATHS = {
    "namespaces": "/api/v1/namespaces",
    "customresourcedefinitions": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
}
NAMESPACED = {
    "configmaps": "/api/v1", "services": "/api/v1", "serviceaccounts": "/api/v1", "secrets": "/api/v1",
    "persistentvolumeclaims": "/api/v1", "events": "/api/v1", "pods": "/api/v1", "statefulsets": "/apis/apps/v1",
    "deployments": "/apis/apps/v1", "jobs": "/apis/batch/v1", "networkpolicies": "/apis/networking.k8s.io/v1",
    "roles": "/apis/rbac.authorization.k8s.io/v1", "rolebindings": "/apis/rbac.authorization.k8s.io/v1",
    "horizontalpodautoscalers": "/apis/autoscaling/v2", "poddisruptionbudgets": "/apis/policy/v1",
    "leases": "/apis/coordination.k8s.io/v1",
    "storageclusters": f"/apis/{GROUP}/v1", "storagemigrations": f"/apis/{GROUP}/v1",
    "storagebackups": f"/apis/{GROUP}/v1", "storagerestores": f"/apis/{GROUP}/v1",
}


def path_of(kind, namespace=None, name=None, subresource=None):
    base = PATHS.get(kind) or f"{NAMESPACED[kind]}/namespaces/{namespace}/{kind}"
    return "/".join(part for part in (base, name, subresource) if part)


class ApiError(AssertionError):
    def __init__(self, method, path, status, body):
        super().__init__(f"{method} {path}: {status} {body[:400]}")
        self.status = status


class Api:
    """One per thread. `certificates` is (ca, client certificate, client key) or None for plain HTTP."""

    def __init__(self, url, certificates=None):
        self.url = url
        self.certificates = certificates
        self._connection = None

    def open(self, timeout=None):
        """A connection of its own."""
        target = urllib.parse.urlsplit(self.url)
        if target.scheme == "http":
            return http.client.HTTPConnection(target.hostname, target.port, timeout=timeout)
        authority, certificate, key = self.certificates
        context = ssl.create_default_context(cafile=authority)
        context.load_cert_chain(certificate, key)
        return http.client.HTTPSConnection(target.hostname, target.port, timeout=timeout, context=context)

    def send(self, method, path, body=None, content_type="application/json"):
        """(status, parsed body, or text when it is not JSON)."""
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content_type
        data = json.dumps(body).encode() if body is not None else None
        for fresh in (False, True):  # an idle connection may have been closed by the server: once more on a new one
            if self._connection is None or fresh:
                self._connection = self.open(timeout=30)
            try:
                self._connection.request(method, path, data, headers)
                answer = self._connection.getresponse()
                text = answer.read().decode()
                break
            except (http.client.HTTPException, ConnectionError):
                self._connection.close()
                if fresh:
                    raise
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def call(self, method, path, body=None, content_type="application/json"):
        status, answer = self.send(method, path, body, content_type)
        if status >= 300:
            raise ApiError(method, path, status, json.dumps(answer))
        return answer

    def get(self, kind, namespace=None, name=None):
        """The object, or None when there is none."""
        path = path_of(kind, namespace, name)
        status, answer = self.send("GET", path)
        if status == 404:
            return None
        if status != 200:
            raise ApiError("GET", path, status, json.dumps(answer))
        return answer

    def items(self, kind, namespace):
        return self.call("GET", path_of(kind, namespace))["items"]

    def create(self, kind, namespace, body):
        return self.call("POST", path_of(kind, namespace), body)

    def patch(self, kind, namespace, name, body, subresource=None):
        return self.call("PATCH", path_of(kind, namespace, name, subresource), body, MERGE_PATCH)

    def delete(self, kind, namespace, name, uid=None):
        options = {"preconditions": {"uid": uid}} if uid else {}
        status, answer = self.send("DELETE", path_of(kind, namespace, name), options)
        if status not in (200, 202, 404, 409):
            raise ApiError("DELETE", path_of(kind, namespace, name), status, json.dumps(answer))
        return status
