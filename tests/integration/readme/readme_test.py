#!/usr/bin/env python3
"""Executes the commands of README.md: what it shows is what a user gets.

`make` targets are checked to exist; the cluster is started as `make run` starts it, on an address of its own, and every
curl and kubectl line of the README is run against it there.
"""
import argparse
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "e2e"))
# pylint: disable=wrong-import-position
from testbed.ports import free_port  # noqa: E402

DEADLINE = 90.0


def own_address():
    """A loopback address that nobody else is likely to use; the pod has its ports there."""
    pid = os.getpid()
    return f"127.{100 + pid % 100}.{pid // 100 % 250}.{1 + pid // 25000 % 250}"


# From here on it is about a cluster: e2e/cases/pods_run_by_the_readme.py runs that.
ON_A_CLUSTER = "\n## On your own cluster\n"


def commands(readme):
    """The command lines in console blocks, without prompt and trailing comment."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", readme, re.S):
        for line in block.splitlines():
            line = line.strip()
            if line.startswith("$ "):
                found.append(line[2:].split("  #")[0].strip())
            elif line.startswith(("curl ", "kubectl ")):
                found.append(line)
    return found


def wait_for(condition, what):
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    sys.exit(f"FAIL: not within {DEADLINE:.0f} s: {what}")


class Cluster:
    """holdfast-operator local, as the Makefile's `run` starts it, on ports of its own."""

    def __init__(self, operator, arguments, root):
        self.address, self.api = own_address(), free_port()
        self.events = []
        self.process = subprocess.Popen(
            [operator, *arguments, "--root", root, "--address", self.address, "--api-port", str(self.api)],
            stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        wait_for(lambda: self.process.poll() is not None or self.event("running"), "the cluster to be ready")
        if self.process.poll() is not None:
            sys.exit(f"FAIL: holdfast-operator local ended with {self.process.returncode}")

    def read(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def event(self, name):
        return next((event for event in list(self.events) if event["event"] == name), None)

    def adapt(self, command):
        return command.replace("127.0.0.1:8080", f"{self.address}:8080").replace("127.0.0.1:8001",
                                                                                f"127.0.0.1:{self.api}")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=DEADLINE)
        self.reader.join()
        return code


def descendants(parent, name):
    """Processes of that name below `parent`; where a pod is contained, its container is between them."""
    below = subprocess.run(["pgrep", "--parent", str(parent)], capture_output=True, text=True, check=False).stdout.split()
    named = subprocess.run(["pgrep", "--parent", str(parent), "-x", name], capture_output=True, text=True, check=False).stdout.split()
    return [int(pid) for pid in named] + [one for pid in below for one in descendants(int(pid), name)]


def run(command):
    return subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=DEADLINE, check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readme", required=True)
    parser.add_argument("--operator", required=True)
    options = parser.parse_args()
    with open(options.readme, encoding="utf-8") as file:
        documented = commands(file.read().split(ON_A_CLUSTER)[0])
    failures = []

    def expect(holds, what):
        print(("ok    " if holds else "FAIL  ") + what, flush=True)
        if not holds:
            failures.append(what)

    repository = os.path.dirname(os.path.abspath(options.readme))
    for command in documented:
        if command.startswith("make"):
            dry = subprocess.run([*shlex.split(command), "--dry-run"], cwd=repository, capture_output=True, text=True,
                                 check=False)
            expect(dry.returncode == 0, f"{command}: the target exists")
    recipe = subprocess.run(["make", "--dry-run", "run"], cwd=repository, capture_output=True, text=True, check=False)
    start = re.search(r"holdfast-operator (local .*)$", recipe.stdout, re.M)
    expect(start is not None, "make run starts holdfast-operator local")
    if start is None:
        return 1

    curls = [command for command in documented if command.startswith("curl ")]
    kubectls = [command for command in documented if command.startswith("kubectl ")]
    expect(len(curls) == 3 and len(kubectls) == 1, "the README shows three curl lines and a kubectl line")

    with tempfile.TemporaryDirectory() as root:
        cluster = Cluster(options.operator, shlex.split(start.group(1)), os.path.join(root, ".holdfast"))
        try:
            printed = cluster.event("running")["try"]
            expect(printed == [cluster.adapt(command) for command in curls], "it prints the curl lines of the README")
            put = run(cluster.adapt(curls[0]) + " -w %{http_code}")
            expect(put.stdout == "201", f"{curls[0]} -> 201")
            expect(run(cluster.adapt(curls[1])).stdout == "hello", f"{curls[1]} -> hello")
            listed = run(cluster.adapt(curls[2]))
            expect('"key":"greeting"' in listed.stdout, f"{curls[2]} lists the key")
            kubectl = run(cluster.adapt(kubectls[0]))
            expect(re.search(r"^demo\s+True", kubectl.stdout, re.M) is not None, f"{kubectls[0]} shows it ready")

            services = descendants(cluster.process.pid, "holdfast")
            expect(len(services) == 1, "the pod is one process")
            for service in services:
                os.kill(service, signal.SIGKILL)
            wait_for(lambda: run(cluster.adapt(curls[1])).stdout == "hello", "the value after kill -9 of the service")
            expect(True, "the value is back after kill -9 of the service")
        finally:
            code = cluster.stop()
        expect(code == 0, "an interrupt ends it with status 0")

        cluster = Cluster(options.operator, shlex.split(start.group(1)), os.path.join(root, ".holdfast"))
        try:
            expect(run(cluster.adapt(curls[1])).stdout == "hello", "the value is back after a restart of everything")
        finally:
            cluster.stop()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
