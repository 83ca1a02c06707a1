"""Load from inside the cluster, by way of a StorageCluster's Service (load_client.py in a pod), and what became of it."""

import json
import pathlib

from testbed.cluster_bed import CONVERGE, SYSTEM
from testbed.forward import Unreachable
from testbed.waiting import until

SCRIPT = pathlib.Path(__file__).with_name("load_client.py")
NAME, PORT, CLIENTS = "load", 8000, 4
SOME = 60  # acknowledged writes


class Load:
    """Clients that write until finish(); for `with`. The pod has no label of the cluster's, so that no drain of ours takes it."""

    def __init__(self, bed, server="demo:8080", name=NAME):
        self._bed, self._name, self._way = bed, name, None
        bed.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
                   "data": {"client.py": SCRIPT.read_text(encoding="utf-8")}})
        container = {"name": "load", "image": image(bed), "imagePullPolicy": "IfNotPresent",
                     "command": ["python3", "-I", "/client/client.py", server, str(CLIENTS), str(PORT)],
                     "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                         "capabilities": {"drop": ["ALL"]}},
                     "volumeMounts": [{"name": "client", "mountPath": "/client", "readOnly": True}]}
        bed.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
            "containers": [container], "volumes": [{"name": "client", "configMap": {"name": name}}],
            "restartPolicy": "Never", "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}}})

    def __enter__(self):
        self._bed.kubectl("wait", "--for=condition=Ready", f"pod/{self._name}", f"--timeout={CONVERGE:.0f}s", timeout=CONVERGE + 30)
        self._way = self._bed.forward(f"pod/{self._name}", PORT)
        self.goes_on()
        return self

    def __exit__(self, *_):
        self._bed.try_kubectl("delete", "pod", self._name, "--grace-period=0", "--wait=false")

    def _ask(self, method, timeout):
        try:
            status, _, body = self._way.request(method, "/account", timeout=timeout)
        except Unreachable:  # kubectl's way there is made anew
            return None
        assert status == 200, body
        return json.loads(body)

    def account(self):
        return until("the load tells its account", lambda: self._ask("GET", 10))

    def goes_on(self):
        """Until as many more writes as make sure that it does are acknowledged."""
        before = self.account()["acknowledged"]
        until("writes are acknowledged", lambda: self.account()["acknowledged"] >= before + SOME, CONVERGE, pause=0.5)

    def now(self):
        """By its own clock."""
        return self.account()["now"]

    def finish(self, may_lose=(0.0, 0.0)):
        """Ends it. Nothing may have failed for good, and everything is there but what was acknowledged between these two times and
        is gone; tells how it was."""
        told = until("everything acknowledged has been asked for", lambda: self._ask("POST", CONVERGE), 2 * CONVERGE)
        assert not told["failed"], f"{told['failed']} of {told['requests']} requests failed: {told['first_failed']}; {told}"
        lost = [what for at, status, what in told["wrong"] if status == 404 and may_lose[0] <= at <= may_lose[1]]
        wrong = [one for one in told.pop("wrong") if one[2] not in lost]
        assert not wrong, f"{len(wrong)} acknowledged writes are lost or wrong: {wrong[:5]}; may be lost: {may_lose}; {told}"
        again = ", ".join(f"{count} x {why}" for why, count in sorted(told["again"].items())) or "none"
        there = f"{told['acknowledged'] - len(lost)} of {told['acknowledged']}" if may_lose[1] else f"{told['acknowledged']}"
        return (f"{there} writes acknowledged and there, 0 of {told['requests']} requests failed; tried again: {again} "
                f"(at most {told['tries']} tries); longest time without an answer {told['longest']:.1f} s")


def image(bed):
    """The one of PostgreSQL has a Python; the operator was told its name."""
    operator = json.loads(bed.kubectl("--namespace", SYSTEM, "get", "deployment", "holdfast", "--output=json"))
    arguments = operator["spec"]["template"]["spec"]["containers"][0]["args"]
    return next(one.split("=", 1)[1] for one in arguments if one.startswith("--postgres-image="))
