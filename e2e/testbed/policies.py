"""NetworkPolicies, enforced by the firewall of the node, since the bridge plug-in knows none: a pod that a policy is about is sent
only what some policy lets in, and sends only what some policy lets out. What the node itself sends (probes of the kubelet) is always
let in. IPv4; ports by number or by the container's name for them; a policy with an ipBlock is none that our own objects have, and
lets nothing through here."""

import subprocess

from testbed import binaries
from testbed.api import Api
from testbed.following import follow

ROOT = "HOLDFAST-POLICIES"
# Its own table: kube-proxy, whose place in the table of filters is the first, accepts packets there. Dropping is all that it can do.
TABLE = "mangle"
# (type of a policy, its rules, whose peers they name, the packets of a pod, the packets of a peer, prefix of the pod's chain)
WAYS = (("Ingress", "ingress", "from", "-d", "-s", "HOLDFAST-IN-"), ("Egress", "egress", "to", "-s", "-d", "HOLDFAST-OUT-"))


def matches(selector, labels):
    """Of an absent selector the caller knows the meaning."""
    tests = {"In": lambda value, values: value in values, "NotIn": lambda value, values: value not in values,
             "Exists": lambda value, _: value is not None, "DoesNotExist": lambda value, _: value is None}
    return (all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
            and all(tests[one["operator"]](labels.get(one["key"]), one.get("values", ()))
                    for one in selector.get("matchExpressions", ())))


def labels_of(one):
    return one["metadata"].get("labels", {})


def types(spec):
    return spec.get("policyTypes") or ["Ingress"] + ["Egress"] * ("egress" in spec)


class Policies:
    def __init__(self, server):
        self._api = Api(server.url, server.certificates)
        self._chains = set()
        self._iptables = [binaries.require("iptables"), "--wait", "--table", TABLE]
        self._tell(self._rules({}, [], []))
        # What pods send each other is forwarded; what they send to the node, the API server among it, comes in.
        for built_in in ("FORWARD", "INPUT"):
            subprocess.run([*self._iptables, "--insert", built_in, "--jump", ROOT], check=True)
        follow(self._found, self._tell)

    def _items(self, path):
        return self._api.call("GET", path)["items"]

    def _found(self):
        spaces = {one["metadata"]["name"]: labels_of(one) for one in self._items("/api/v1/namespaces")}
        # Ended pods have an address that is another's by now.
        pods = [pod for pod in self._items("/api/v1/pods") if pod["status"].get("podIP") and not pod["spec"].get("hostNetwork")
                and pod["status"]["phase"] in ("Pending", "Running")]
        return self._rules(spaces, pods, self._items("/apis/networking.k8s.io/v1/networkpolicies"))

    def _rules(self, spaces, pods, policies):
        rules = [f"-A {ROOT} -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN"]
        for pod in pods:
            for kind, name, peers, its, others, prefix in WAYS:
                about = [one["spec"] for one in policies if one["metadata"]["namespace"] == pod["metadata"]["namespace"]
                         and kind in types(one["spec"]) and matches(one["spec"]["podSelector"], labels_of(pod))]
                if not about:
                    continue
                chain = f"{prefix}{pod['status']['podIP']}"
                rules.append(f"-A {ROOT} {its} {pod['status']['podIP']} -j {chain}")
                for rule in (rule for spec in about for rule in spec.get(name) or ()):
                    owners = [pod] if kind == "Ingress" else pods
                    for peer in self._peers(rule.get(peers), pod, spaces, pods):
                        rules += [f"-A {chain} {f'{others} {peer} ' if peer else ''}{port}-j RETURN"
                                  for port in self._ports(rule.get("ports"), owners)]
                rules.append(f"-A {chain} -j DROP")
        return "\n".join(rules)

    def _peers(self, peers, pod, spaces, pods):
        """Their addresses; {None}: everybody."""
        if not peers:
            return {None}
        found = set()
        for peer in (peer for peer in peers if "ipBlock" not in peer):
            for one in pods:
                space = one["metadata"]["namespace"]
                there = (matches(peer["namespaceSelector"], spaces.get(space, {})) if "namespaceSelector" in peer
                         else space == pod["metadata"]["namespace"])
                if there and matches(peer.get("podSelector", {}), labels_of(one)):
                    found.add(one["status"]["podIP"])
        return found

    @staticmethod
    def _ports(ports, owners):
        """As conditions of a rule, each with a blank behind it. A port's name is looked up in the pods that it may belong to."""
        if not ports:
            return {""}
        found = set()
        for port in ports:
            protocol = port.get("protocol", "TCP").lower()
            numbers = [port["port"]] if isinstance(port.get("port"), int) else [
                named["containerPort"] for pod in owners for container in pod["spec"]["containers"]
                for named in container.get("ports", ()) if named.get("name") == port["port"]] if "port" in port else [None]
            found |= {f"-p {protocol} " + (f"--dport {number} " if number else "") for number in numbers}
        return found

    def _tell(self, rules):
        """All at once."""
        chains = {line.split()[1] for line in rules.splitlines()}
        gone = self._chains - chains
        text = "\n".join([f"*{TABLE}", *(f":{chain} - [0:0]" for chain in sorted(chains | gone)), rules,
                          *(f"-X {chain}" for chain in sorted(gone)), "COMMIT", ""])
        done = subprocess.run([f"{self._iptables[0]}-restore", "--noflush", "--wait"], input=text, capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            print(f"warning: NetworkPolicies are not followed: {done.stderr.strip()}\n{text}", flush=True)
        self._chains = chains
