#!/usr/bin/env python3
"""Executes docs/incident-store.md against a running service: what the page shows is what a reader gets."""
import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "e2e"))
# pylint: disable=wrong-import-position
from testbed.ports import free_port  # noqa: E402

DEADLINE = 60.0


def steps(page):
    """Each command of the console blocks with the output shown below it."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", page, re.S):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return [(command, "\n".join(shown)) for command, shown in found]


def matches(shown, printed):
    """Whether the output is what the page shows; an ellipsis there stands for anything."""
    pattern = ".*".join(re.escape(part) for part in shown.split("…"))
    return re.fullmatch(pattern, printed.replace("\r", "").strip(), re.S) is not None


def self_test():
    assert steps("```console\n$ a\nb\nc\n$ d\n```") == [("a", "b\nc"), ("d", "")]
    assert matches("", "\n") and not matches("", "x")
    assert matches('{"a":…}', '{"a":1}\r\n') and not matches('{"a":…}', '{"b":1}')


def wait_ready(process, port):
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
                return
        except OSError:
            time.sleep(0.02)
    sys.exit("FAIL: the service did not become ready")


class Shell:
    """One bash for all lines, so that variables live on."""

    END = "--end of this step--"

    def __init__(self):
        self.process = subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)

    def run(self, command):
        self.process.stdin.write(f"{command}\necho; echo '{self.END}'\n")
        self.process.stdin.flush()
        printed = []
        for line in self.process.stdout:
            if line.rstrip("\n") == self.END:
                return "".join(printed)
            printed.append(line)
        return "".join(printed)

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=DEADLINE)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--page", required=True)
    parser.add_argument("--backend", required=True, choices=["memory", "rocksdb"])
    options = parser.parse_args()
    self_test()
    with open(options.page, encoding="utf-8") as file:
        shown_steps = steps(file.read())
    failed = len(shown_steps) < 20
    if failed:
        print(f"FAIL  the page shows only {len(shown_steps)} commands")

    with tempfile.TemporaryDirectory() as folder:
        port, admin = free_port(), free_port()
        config = os.path.join(folder, "holdfast.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"listen: {{address: 127.0.0.1, port: {port}}}\n"
                       f"admin: {{address: 127.0.0.1, port: {admin}}}\n"
                       f"data_dir: {folder}/data\n"
                       f"backends:\n  local: {{type: {options.backend}}}\n")
        with open(os.path.join(folder, "log"), "wb") as log, \
                subprocess.Popen([options.binary, "serve", "--config", config], stdout=log, stderr=log) as service:
            shell = Shell()
            try:
                wait_ready(service, admin)
                for command, shown in shown_steps:
                    printed = shell.run(command.replace("127.0.0.1:8080", f"127.0.0.1:{port}"))
                    if matches(shown, printed):
                        print(f"ok    {command}", flush=True)
                    else:
                        failed = True
                        print(f"FAIL  {command}\n  shown   {shown}\n  printed {printed}", flush=True)
            finally:
                shell.close()
                service.send_signal(signal.SIGTERM)
            if service.wait(timeout=DEADLINE) != 0:
                failed = True
                print("FAIL  the service did not end with 0")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
