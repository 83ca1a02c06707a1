"""Who has the token of a pod reads no Secret with it, the operator may not what it does not need, and the NetworkPolicies are about
the pods that they are meant for (that they hold: pods_are_kept_from_strangers.py)."""

import json

from cases.pods_serve_a_postgres_cluster import postgres
from testbed.cluster_bed import RELEASE, SYSTEM

SERVERS = ("cluster",)
SECRET = "secrets/demo-db-credentials"
# By ServiceAccount, what it may and what not: (verb, resource[:subresource][/name]).
RIGHTS = {
    "demo": ((), (("get", SECRET), ("list", "secrets"), ("list", "pods"), ("get", "configmaps/demo-config"),
                  ("list", "storageclusters"))),
    "demo-db": ((("patch", "pods/demo-db-0"), ("patch", "configmaps/demo-db-leader")),
                (("get", SECRET), ("list", "secrets"), ("delete", "pods/demo-db-0"), ("patch", "pods/stranger"),
                 ("get", "configmaps/demo-config"), ("patch", "endpoints"), ("list", "storageclusters"))),
    "default": ((), (("get", SECRET), ("list", "secrets"), ("patch", "storageclusters/demo"))),
}
OPERATOR = ((("get", SECRET), ("patch", "storageclusters/demo"), ("delete", "pods/demo-db-0")),
            (("create", "pods"), ("create", "pods:exec"), ("get", "pods:log"), ("delete", "storageclusters/demo"), ("get", "nodes"),
             ("create", "persistentvolumes"), ("create", "persistentvolumeclaims"), ("create", "clusterroles"),
             ("create", "clusterrolebindings"), ("escalate", "roles"), ("bind", "clusterroles"), ("impersonate", "serviceaccounts"),
             ("delete", "namespaces")))
GROUPS = {"storageclusters": "storage.holdfast.dev"} | dict.fromkeys(
    ("roles", "clusterroles", "clusterrolebindings"), "rbac.authorization.k8s.io")
# It need not run to be a pod that no policy lets in.
STRANGER = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stranger"}, "spec": {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [{"name": "stranger", "image": "none.invalid/none", "securityContext": {
        "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}]}}
# With the token that is in the pod.
ASK = """
import os, ssl, sys, urllib.error, urllib.request
folder = "/var/run/secrets/kubernetes.io/serviceaccount/"
server = f"{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
request = urllib.request.Request(f"https://{server}{sys.argv[1]}", headers={"Authorization": "Bearer " + open(folder + "token").read()})
try:
    print(urllib.request.urlopen(request, context=ssl.create_default_context(cafile=folder + "ca.crt")).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""


def reviews(bed):
    """[(SubjectAccessReview, whether it is to be allowed)]"""
    accounts = {f"{bed.namespace}:{account}": rights for account, rights in RIGHTS.items()} | {f"{SYSTEM}:{RELEASE}": OPERATOR}
    for account, rights in accounts.items():
        for allowed, questions in zip((True, False), rights):
            for verb, what in questions:
                resource, _, name = what.partition("/")
                yield {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
                    "user": f"system:serviceaccount:{account}", "groups": ["system:serviceaccounts", "system:authenticated"],
                    "resourceAttributes": attributes(bed, verb, resource, name)}}, allowed


def attributes(bed, verb, resource, name):
    plain, _, part = resource.partition(":")
    return {"namespace": bed.namespace, "verb": verb, "group": GROUPS.get(plain, ""), "resource": plain, "subresource": part,
            "name": name}


def check_rights(bed):
    asked = list(reviews(bed))
    told = bed.kubectl("create", "--filename=-", "--output=jsonpath={.status.allowed} ",
                       stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [one for one, _ in asked]}))
    for (one, expected), allowed in zip(asked, told.split(), strict=True):
        assert allowed == str(expected).lower(), f"allowed: {allowed}; {one['spec']}"


def refused(bed, account, *arguments):
    status, _, errors = bed.try_kubectl(*arguments, f"--as=system:serviceaccount:{bed.namespace}:{account}")
    assert status != 0 and "Forbidden" in errors, f"{account}: {arguments}: {errors}"


def answer(bed, path):
    return int(bed.kubectl("exec", "demo-db-0", "--container", "postgres", "--", "python3", "-c", ASK, path))


def chosen(bed, selector):
    """Names of the pods that a podSelector is about."""
    assert set(selector) == {"matchLabels"} and selector["matchLabels"], f"about every pod: {selector}"
    terms = ",".join(f"{key}={value}" for key, value in selector["matchLabels"].items())
    return {one["metadata"]["name"] for one in bed.items("pods", terms)}


def check_policies(bed):
    policies = {one["metadata"]["name"]: one["spec"] for one in bed.items("networkpolicies")}
    assert set(policies) == {"demo-db", "demo-db-pooler"}, set(policies)
    names = {role: chosen(bed, {"matchLabels": {"storage.holdfast.dev/role": role}}) for role in ("postgres", "pooler", "service")}
    assert [len(names[role]) for role in ("postgres", "pooler", "service")] == [3, 2, 2], names
    for name, role, ports in (("demo-db", "postgres", {5432, 8008}), ("demo-db-pooler", "pooler", {6432})):
        spec = policies[name]
        assert spec["policyTypes"] == ["Ingress"] and chosen(bed, spec["podSelector"]) == names[role], f"{name}: {spec}"
        assert {port["port"] for rule in spec["ingress"] for port in rule["ports"]} == ports, f"{name}: {spec}"
        for rule in spec["ingress"]:
            (port,) = rule["ports"]
            here = set().union(*(chosen(bed, peer["podSelector"]) for peer in rule["from"] if "namespaceSelector" not in peer))
            elsewhere = [peer["podSelector"]["matchLabels"] for peer in rule["from"] if "namespaceSelector" in peer]
            assert "stranger" not in here and not any("ipBlock" in peer for peer in rule["from"]), rule
            assert elsewhere in ([], [{"app.kubernetes.io/name": "holdfast-operator"}]), rule
            if port["port"] == 8008:  # Patroni's: only other servers and the operator
                assert here == names["postgres"] and elsewhere, rule
            else:
                assert here >= names["service"] | names["pooler"], rule


def run(bed):
    bed.install()
    bed.apply(postgres())
    bed.wait_ready()
    check_rights(bed)
    for account in RIGHTS:
        refused(bed, account, "get", "secret", "demo-db-credentials")
    secrets = f"/api/v1/namespaces/{bed.namespace}/secrets"
    assert answer(bed, f"/api/v1/namespaces/{bed.namespace}/pods") == 200, "the token in the pod is not Patroni's"
    for path in (secrets, f"{secrets}/demo-db-credentials", "/api/v1/secrets", "/api/v1/nodes"):
        assert answer(bed, path) == 403, f"{path} is answered"
    for pod in bed.items("pods", "storage.holdfast.dev/role in (service, pooler)"):
        sources = [source for volume in pod["spec"]["volumes"] for source in volume.get("projected", {}).get("sources", [])]
        assert not any("serviceAccountToken" in source for source in sources), f"{pod['metadata']['name']} has a token"
    bed.apply(STRANGER)
    check_policies(bed)
