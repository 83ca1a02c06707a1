"""TLS of the service: the certificate comes from an authority that is published, and a deleted one comes back without the pods
being touched; one's own is waited for with a condition that says so; off, nothing of it is left."""

import base64
import json
import os
import subprocess
import tempfile

from testbed.bed import CONVERGE, cluster, condition
from testbed.waiting import until

SLOW = True  # half a minute passes until a Secret of somebody else's is looked for again


def verify(bed, secret, authorities):
    """As a client would: vouched for by what is published, and issued for the Service's name."""
    files = {"ca.crt": authorities, "tls.crt": base64.b64decode(secret["data"]["tls.crt"]).decode()}
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                file.write(text)
        subprocess.run(["openssl", "verify", "-CAfile", "ca.crt", "-verify_hostname", f"demo.{bed.namespace}.svc", "tls.crt"],
                       cwd=folder, check=True, capture_output=True, text=True)


def reissued(bed, before):
    children = bed.children()
    secret = children.get("secrets/demo-tls")
    assert secret, "it is not there"
    assert secret["data"]["tls.crt"] != before["data"]["tls.crt"], "it is the former one"
    verify(bed, secret, children["configmaps/demo-ca"]["data"]["ca.crt"])
    return secret


def pods(bed):
    return json.dumps(bed.children()["statefulsets/demo"]["spec"]["template"], sort_keys=True)


def off(bed):
    left = [name for name in bed.children() if name.endswith(("/demo-tls", "/demo-ca"))]
    assert not left, f"left behind: {left}"
    return True


def waits(bed, reason):
    one = bed.storage_cluster()
    state = condition(one, "Ready")
    assert state.get("observedGeneration") == one["metadata"]["generation"], f"Ready is about an older spec: {state}"
    assert (state["status"], state["reason"]) == ("False", reason), f"Ready is {state}"
    assert "spec.service.tls.secretName" in state["message"], state["message"]
    return True


def run(bed):
    bed.operator()
    bed.apply(cluster(service={"tls": {"enabled": True}}))
    status = bed.wait_ready()["status"]
    assert status["endpoint"] == f"https://demo.{bed.namespace}.svc:8080", status["endpoint"]
    assert status["caConfigMap"] == "demo-ca", status
    children, template = bed.children(), pods(bed)
    verify(bed, children["secrets/demo-tls"], children["configmaps/demo-ca"]["data"]["ca.crt"])

    bed.kubectl("delete", "secret", "demo-tls")
    until("a new certificate is issued", lambda: reissued(bed, children["secrets/demo-tls"]), CONVERGE)
    assert pods(bed) == template, "a new certificate makes new pods"

    bed.apply(cluster(service={"tls": {"secretName": "own"}}))
    until("the status says what it waits for", lambda: waits(bed, "TlsSecretMissing"), CONVERGE)
    assert pods(bed) == template, "pods are made that could not start"
    own = bed.children()["secrets/demo-tls"]["data"]
    bed.api.create("secrets", bed.namespace, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "own"},
                                              "type": "kubernetes.io/tls",
                                              "data": {name: own[name] for name in ("tls.crt", "tls.key")}})
    status = bed.wait_ready()["status"]
    assert "caConfigMap" not in status, status
    until("nothing of the operator's own is left", lambda: off(bed), CONVERGE)

    bed.apply(cluster())
    assert bed.wait_ready()["status"]["endpoint"] == f"http://demo.{bed.namespace}.svc:8080"
