"""README's commands for a cluster of one's own lead a stranger to an answer, run as they stand there: only the images are on the
node already."""

import os
import pathlib
import re
import subprocess

from testbed import binaries
from testbed.cluster_bed import CONVERGE, DEFINITIONS, STORE
from testbed.helm import Helm
from testbed.ports import free_port
from testbed.processes import Process
from testbed.servers import kubectl_binary
from testbed.waiting import until

SERVERS = ("cluster",)
OWN_NODE = True  # installs where the README says, and empties that
ROOT = pathlib.Path(__file__).resolve().parents[2]
SECTION = re.compile(r"^## On your own cluster\n.*?```console\n(.*?)```", re.M | re.S)
MOST_COMMANDS = 5
VALUE = "hello"


def run(bed):
    commands = [line.removeprefix("$ ") for line in SECTION.search((ROOT / "README.md").read_text(encoding="utf-8"))[1].splitlines()]
    assert len(commands) <= MOST_COMMANDS, commands
    build, *rest, forward = commands
    assert "scripts/build_images.sh --push" in build and "port-forward" in forward, commands
    bed.uninstall()
    try:
        for command in rest:
            shell(bed, command.replace(" --set registry=registry.example/team", ""))
        answers(bed, forward)
    finally:
        remove(bed)


def environment(bed):
    """A stranger's: kubectl and helm on the path, a kubeconfig whose namespace is the case's."""
    kubeconfig = os.path.join(bed.folder, "strangers-kubeconfig")
    settings = subprocess.run([*bed.command(), "config", "view", "--raw", "--flatten"], capture_output=True, text=True, check=True)
    with open(kubeconfig, "w", encoding="utf-8") as file:
        file.write(settings.stdout)
    subprocess.run([kubectl_binary(), "--kubeconfig", kubeconfig, "config", "set-context", "--current", "--namespace", bed.namespace],
                   check=True, capture_output=True)
    programs = [os.path.dirname(program) for program in (kubectl_binary(), binaries.helm())]
    return {"PATH": ":".join([*programs, os.environ["PATH"]]), "HOME": bed.folder, "KUBECONFIG": kubeconfig}


def shell(bed, command):
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, env=environment(bed), capture_output=True, text=True,
                          timeout=CONVERGE + 30, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def answers(bed, forward):
    port = free_port()
    command = ["bash", "-c", "exec " + forward.replace(" 8080", f" {port}:8080")]
    process = Process("strangers-forward", command, bed.folder, environment=environment(bed))
    url = f"http://127.0.0.1:{port}{STORE}greeting"
    try:
        until("the port is forwarded", lambda: "Forwarding from" in process.last_log(), 60)
        shell(bed, f"curl --fail -X PUT --data-binary {VALUE} {url}")
        shell(bed, f"[ \"$(curl --fail {url})\" = {VALUE} ]")
    finally:
        process.stop()


def remove(bed):
    """As docs/install.md has it."""
    bed.try_kubectl("delete", "storagemigrations,storageclusters", "--all", "--timeout=120s", timeout=150)
    Helm(bed.folder, bed.cluster.kubeconfig, "holdfast-system", CONVERGE).attempt("uninstall", "holdfast")
    bed.try_kubectl("delete", "crd", *DEFINITIONS, "--ignore-not-found", "--timeout=60s")
    bed.try_kubectl("delete", "namespace", "holdfast-system", "--ignore-not-found", "--timeout=120s", timeout=150)
