"""The programs of examples/clients do what they say in every language, let in by a ServiceAccount's token that the API server
reviews, and by no other."""

import os
import pathlib
import subprocess
import sys

from testbed import binaries

SERVERS = ("real",)

TEST = pathlib.Path(__file__).resolve().parents[2] / "tests" / "integration" / "clients" / "clients_test.py"
LANGUAGES = ("curl", "python", "node", "go", "java")


def account(bed, name):
    """The path of a token of a new ServiceAccount."""
    bed.api.create("serviceaccounts", bed.namespace, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
    answer = bed.api.call("POST", f"/api/v1/namespaces/{bed.namespace}/serviceaccounts/{name}/token",
                          {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
    path = os.path.join(bed.folder, f"token-{bed.namespace}-{name}")
    with open(path, "w", encoding="ascii") as file:
        file.write(answer["status"]["token"])
    return path


def run(bed):
    service, client = account(bed, "service"), account(bed, "client")
    bed.kubectl("create", "clusterrolebinding", f"{bed.namespace}-reviews", "--clusterrole=system:auth-delegator",
                f"--serviceaccount={bed.namespace}:service")
    languages = [word for language in LANGUAGES for word in ("--language", language)]
    done = subprocess.run(
        [sys.executable, TEST, "--binary", bed.service_binary, *languages, "--go", binaries.go(),
         "--kubernetes-url", bed.server.url, "--kubernetes-ca", bed.server.certificates[0],
         "--service-token", service, "--client-token", client], capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return ", ".join(LANGUAGES)
