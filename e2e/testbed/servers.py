"""The two API servers that every case runs on: the real one over etcd, and the operator's own double of it.

Both offer: url, certificates (see api.Api) of an administrator, operator_certificates, kubeconfig (a path), real (bool),
allow(), identity(), stop(). On the real one the operator is what its RBAC rules make of it, and an audit log tells every
request that it sends.
"""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import time
import urllib.request

from testbed import binaries
from testbed.api import Api
from testbed.ports import free_port
from testbed.processes import Process
from testbed.waiting import until


def write_kubeconfig(path, url, certificates=None):
    cluster, user = {"server": url}, {}
    if certificates:
        cluster["certificate-authority"], user["client-certificate"], user["client-key"] = map(str, certificates)
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "e2e",
        "clusters": [{"name": "e2e", "cluster": cluster}],
        "users": [{"name": "e2e", "user": user}],
        "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": "e2e"}}],
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file)  # JSON is YAML
    return path


SERVICE_ADDRESSES = "10.0.0.0/16"  # a thousand clusters have more than a thousand Services
OPERATOR_NAMESPACE = "holdfast-system"
# Of ServiceAccounts that never log in with a token here: RBAC asks for the name only, and a certificate has it as well.
ACCOUNT = "system:serviceaccount:" + OPERATOR_NAMESPACE + ":"
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
    "rules": [{"level": "None", "users": ["e2e-admin"]}, {"level": "None", "userGroups": ["system:masters"]},
              {"level": "Metadata"}],
}


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Certificates:
    """A throw-away authority, the server's certificate for `names` as well, and an administrator's (group system:masters)."""

    def __init__(self, folder, names=()):
        self._folder = folder
        self.authority, self._authority_key = self._path("ca.crt"), self._path("ca.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 2,
                "-subj", "/CN=holdfast-e2e-ca", "-keyout", self._authority_key, "-out", self.authority)
        self.server = self._issue("server", "/CN=kube-apiserver",
                                  ",".join(("subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes", *names)))
        self.admin = self._issue("admin", "/O=system:masters/CN=e2e-admin", "extendedKeyUsage=clientAuth")
        self.operator = self.account("holdfast-operator")
        self.service_account_key = self._path("service-account.key")
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.service_account_key)

    def account(self, name):
        """Certificate and key of a ServiceAccount of the operator's namespace."""
        return self._issue(name, f"/CN={ACCOUNT}{name}", "extendedKeyUsage=clientAuth")

    def _path(self, name):
        return os.path.join(self._folder, name)

    def _issue(self, name, subject, extension):
        certificate, key, request, extensions = (self._path(f"{name}.{end}") for end in ("crt", "key", "csr", "ext"))
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject,
                "-keyout", key, "-out", request)
        with open(extensions, "w", encoding="ascii") as file:
            file.write(extension + "\n")
        openssl("x509", "-req", "-in", request, "-CA", self.authority, "-CAkey", self._authority_key, "-CAcreateserial",
                "-days", 2, "-extfile", extensions, "-out", certificate)
        return certificate, key


class RealServer:
    name = "real"
    real = True

    certificate_names = ()
    flags = ("--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1", "--endpoint-reconciler-type", "none")

    def __init__(self, folder):
        started = time.monotonic()
        self._processes = []
        etcd_client, etcd_peer, port = free_port(), free_port(), free_port()
        etcd_url = self._etcd_url = f"http://127.0.0.1:{etcd_client}"
        self._run("etcd", [
            binaries.require("etcd"), "--data-dir", os.path.join(folder, "etcd"), "--unsafe-no-fsync",
            "--listen-client-urls", etcd_url, "--advertise-client-urls", etcd_url,
            "--listen-peer-urls", f"http://127.0.0.1:{etcd_peer}",
            "--initial-advertise-peer-urls", f"http://127.0.0.1:{etcd_peer}",
            "--initial-cluster", f"default=http://127.0.0.1:{etcd_peer}"], folder)
        made = self._made = Certificates(folder, self.certificate_names)
        self._folder = folder
        policy = pathlib.Path(folder, "audit-policy.json")
        policy.write_text(json.dumps(AUDIT_POLICY), encoding="utf-8")
        self.audit_log = os.path.join(folder, "audit.log")
        self.url = f"https://127.0.0.1:{port}"
        self.certificates = (made.authority, *made.admin)
        self.operator_certificates = (made.authority, *made.operator)
        self._apiserver = ("kube-apiserver", [
            binaries.kube_apiserver(), "--etcd-servers", etcd_url, "--secure-port", port, *self.flags,
            "--client-ca-file", made.authority, "--tls-cert-file", made.server[0],
            "--tls-private-key-file", made.server[1], "--authorization-mode", "RBAC",
            "--service-account-issuer", "https://kubernetes.default.svc",
            "--service-account-key-file", made.service_account_key,
            "--service-account-signing-key-file", made.service_account_key,
            "--service-cluster-ip-range", SERVICE_ADDRESSES,
            "--audit-policy-file", policy, "--audit-log-path", self.audit_log], folder)
        self._run(*self._apiserver)
        self.kubeconfig = write_kubeconfig(os.path.join(folder, "kubeconfig"), self.url, self.certificates)
        until("kube-apiserver is ready", self._ready, deadline=90)
        self.description = f"kube-apiserver {Api(self.url, self.certificates).call('GET', '/version')['gitVersion']}"
        print(f"{self.description} over etcd is ready after {time.monotonic() - started:.1f} s", flush=True)

    def allow(self, operator, *flags):
        """Applies what `holdfast-operator rbac` prints."""
        command = [kubectl_binary(), "--kubeconfig", self.kubeconfig, "--cache-dir", os.path.join(self._folder, "cache")]
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPERATOR_NAMESPACE}}
        rules = subprocess.run([operator, "rbac", *flags], check=True, stdout=subprocess.PIPE, text=True).stdout
        for manifest in (json.dumps(namespace), rules):
            subprocess.run([*command, "apply", "-f", "-"], input=manifest, text=True, check=True, stdout=subprocess.DEVNULL)

    def identity(self, name):
        """Certificates of another ServiceAccount of the operator's namespace."""
        return (self._made.authority, *self._made.account(name))

    def forget_history(self):
        """Compacts etcd, and starts the server anew, whose cache of changes would answer in etcd's place."""
        def etcd(path, body):
            with urllib.request.urlopen(f"{self._etcd_url}/v3/{path}", json.dumps(body).encode()) as answer:
                return json.load(answer)
        key = base64.b64encode(b"/registry").decode()
        etcd("kv/compaction", {"revision": etcd("kv/range", {"key": key, "limit": 1})["header"]["revision"], "physical": True})
        self._processes.pop().stop()
        self._run(*self._apiserver)
        until("kube-apiserver is ready again", self._ready, deadline=90)

    def requests_of(self, account):
        """[(verb, group, resource with subresource, namespace, status)] that the audit log has of a ServiceAccount."""
        found = []
        with open(self.audit_log, encoding="utf-8") as log:
            for event in map(json.loads, log):
                thing = event.get("objectRef")
                if event["user"]["username"] == ACCOUNT + account and thing:
                    resource = "/".join(part for part in (thing["resource"], thing.get("subresource")) if part)
                    found.append((event["verb"], thing.get("apiGroup", ""), resource, thing.get("namespace", ""),
                                  event["responseStatus"]["code"]))
        return found

    def _run(self, name, arguments, folder):
        self._processes.append(Process(name, arguments, folder))

    def _all_run(self):
        for process in self._processes:
            if not process.running():
                raise RuntimeError(f"{process.name} ended:\n{process.last_log()}")

    def _ready(self):
        self._all_run()
        try:
            status, _ = Api(self.url, self.certificates).send("GET", "/readyz")
            return status == 200
        except OSError:
            return False

    def last_log(self):
        return "\n".join(f"{process.name}{'' if process.running() else ' (has ended)'}:\n{process.last_log()}"
                         for process in self._processes)

    def stop(self):
        for process in reversed(self._processes):
            process.stop()


class DoubleServer:
    name = "double"
    real = False
    certificates = operator_certificates = None

    def __init__(self, folder, binary):
        started = time.monotonic()
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._process = Process("double", [binary, port], folder)
        self.kubeconfig = write_kubeconfig(os.path.join(folder, "kubeconfig"), self.url)
        until("the double is ready", self._ready, deadline=30)
        self.description = "our double of kube-apiserver"
        print(f"{self.description} is ready after {time.monotonic() - started:.1f} s", flush=True)

    def allow(self, *_):
        """It asks nobody who he is."""

    def identity(self, _):
        return None

    def _ready(self):
        if not self._process.running():
            raise RuntimeError(f"the double ended:\n{self._process.last_log()}")
        try:
            return Api(self.url).send("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def stop(self):
        self._process.stop()


def kubectl_binary():
    found = shutil.which("kubectl")
    if not found:
        raise binaries.Missing("kubectl is not on PATH; `make e2e` installs Debian's kubernetes-client")
    return found
