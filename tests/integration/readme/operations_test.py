#!/usr/bin/env python3
"""Executes the runbook of docs/operations.md that copies and restores the volume of an embedded cluster: its kubectl lines, in
their order, against `holdfast-operator local`. Lines that begin with # are what a provider of volumes does; here cp does it."""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

from readme_test import DEADLINE, Cluster, run, wait_for

SECTION = "## Copy and restore the volume of embedded backends"
MANIFEST = "crds/samples/embedded.yaml"
CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data-demo-0, namespace: default, labels: {storage.holdfast.dev/cluster: demo}}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


def steps(page):
    """("kubectl", words) and ("provider", what is to be done), in the order of the page."""
    section = page.split(SECTION + "\n")[1].split("\n## ")[0]
    for block in re.findall(r"```console\n(.*?)```", section, re.S):
        for line in block.splitlines():
            if line.startswith("$ kubectl "):
                yield "kubectl", shlex.split(re.split(r"\s{2,}#", line[2:])[0])[1:]
            elif line.startswith("# "):
                yield "provider", line[2:]
            elif line.strip():
                sys.exit(f"FAIL: nobody knows how to run this line: {line}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", required=True)
    parser.add_argument("--operator", required=True)
    options = parser.parse_args()
    with open(options.page, encoding="utf-8") as file:
        todo = list(steps(file.read()))
    assert len(todo) == 9, f"the runbook has other steps than this test knows: {todo}"

    with tempfile.TemporaryDirectory() as folder:
        root = os.path.join(folder, ".holdfast")
        volume, copy = os.path.join(root, "volumes", "default", "data-demo-0"), os.path.join(folder, "copy")
        cluster = Cluster(options.operator, ["local", "-f", MANIFEST], root)
        url = f"http://{cluster.address}:8080/v1/stores/_default/keys/greeting"

        def kubectl(*words, stdin=None):
            done = subprocess.run(["kubectl", "--server", f"http://127.0.0.1:{cluster.api}", *words], input=stdin,
                                  capture_output=True, text=True, timeout=DEADLINE, check=False)
            print(f"kubectl {' '.join(words)} -> {done.returncode} {(done.stdout + done.stderr).strip()}", flush=True)
            if done.returncode != 0:
                sys.exit("FAIL: kubectl")
            return done.stdout + done.stderr

        def put(value):
            wait_for(lambda: run(f"curl --silent -X PUT --data-binary {value} {url} -o /dev/null -w %{{http_code}}").stdout in
                     ("200", "201", "204"), f"{value} to be written")

        def reads(value):
            wait_for(lambda: run(f"curl --silent {url}").stdout == value, f"{value} to be read")
            print(f"ok    it reads {value}", flush=True)

        def pods_are_gone(words):
            wait_for(lambda: "demo-0" not in kubectl(*words), "the pod to be gone")

        try:
            put("before")
            for number, (who, what) in enumerate(todo):
                if who == "kubectl" and what[:2] == ["get", "pods"]:
                    pods_are_gone(what)
                elif who == "kubectl":
                    kubectl(*what)
                elif "data-demo-0, or copy" in what:
                    shutil.copytree(volume, copy)
                else:
                    assert "make a claim data-demo-0" in what, what
                    wait_for(lambda: "data-demo-0" not in kubectl("get", "pvc"), "the claim to be gone")
                    shutil.rmtree(volume, ignore_errors=True)
                    shutil.copytree(copy, volume)
                    kubectl("apply", "--filename", "-", stdin=CLAIM)
                # What was copied is not all there is when it comes to the restore.
                if who == "kubectl" and what[-1].endswith("hibernate-"):
                    reads("before")
                    put("after")
                    reads("after")
                print(f"ok    step {number + 1} of {len(todo)}", flush=True)
            reads("before")
        finally:
            cluster.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
