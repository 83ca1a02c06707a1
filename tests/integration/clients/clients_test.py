#!/usr/bin/env python3
"""Runs every program of examples/clients against a real service: counters lose no increment, a lock's fence keeps a former holder
out, a watch goes on where it was ended, and a token is what lets them in.

--language names those that must be there; without it curl's and Python's are run. With --kubernetes-url the callers' token is a
ServiceAccount's, reviewed by that API server; otherwise it is one of the service's own file.
"""

import argparse
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "examples" / "clients"
DEADLINE = 120.0
MAX_LINES = 30
RULES = """rules:
  - {principals: ["role:writer", "system:serviceaccount:*"], verbs: [read, write, delete, list, lock, watch]}
"""
TOKENS = """tokens:
  - {name: example, sha256: "%s", namespace: apps, roles: [writer]}
"""


def wait_for(condition, what):
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {DEADLINE:.0f} s: {what}")


class Service:
    """holdfast serve on free ports, which lets in who has the token."""

    def __init__(self, options, folder):
        self.folder, access = folder, folder / "access.yaml"
        if options.kubernetes_url:
            self.token_file = pathlib.Path(options.client_token)
            access.write_text(RULES, encoding="ascii")
            who = ["--auth.mode=serviceaccount", f"--auth.kubernetes_url={options.kubernetes_url}",
                   f"--auth.kubernetes_ca_file={options.kubernetes_ca}", f"--auth.kubernetes_token_file={options.service_token}"]
        else:
            self.token_file = folder / "token"
            self.token_file.write_text("a-token-of-the-test\n", encoding="ascii")
            access.write_text(TOKENS % hashlib.sha256(b"a-token-of-the-test").hexdigest() + RULES, encoding="ascii")
            who = ["--auth.mode=tokens"]
        self._token = self.token_file.read_text(encoding="ascii").strip()
        self._log = open(folder / "log", "w+", encoding="utf-8")
        self._process = subprocess.Popen(
            [options.binary, "serve", "--listen.address=127.0.0.1", "--listen.port=0", "--admin.address=127.0.0.1", "--admin.port=0",
             "--backends.fast.type=memory", "--stores.main.backend=fast", f"--auth.tokens_file={access}", *who, "--log.format=json"],
            stdout=self._log, stderr=subprocess.STDOUT)
        self.url = f"http://127.0.0.1:{wait_for(self._port, 'the service serves')}"

    def _port(self):
        assert self._process.poll() is None, (self.folder / "log").read_text(encoding="utf-8")
        for line in (self.folder / "log").read_text(encoding="utf-8").splitlines(keepends=True):
            # What is being written has no end yet.
            if line.endswith("\n") and "admin_port" in (entry := json.loads(line)):
                return entry["port"]
        return None

    def stop(self):
        self._process.terminate()
        self._process.wait(timeout=DEADLINE)
        self._log.close()

    def ask(self, method, path, body=None, **headers):
        """(status, text)"""
        headers = {name.replace("_", "-"): value for name, value in headers.items()} | {"Authorization": f"Bearer {self._token}"}
        request = urllib.request.Request(f"{self.url}/v1/stores/_default{path}", body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def environment(self, token_file=None):
        return dict(os.environ, HOLDFAST_URL=self.url, HOLDFAST_TOKEN_FILE=str(token_file or self.token_file))


def programs(go_command, folder):
    """{language: {recipe: command}}; Go's are built once, so that their processes are the programs themselves."""
    def go(recipe):
        target = folder / f"{recipe}-go"
        if not target.exists():
            subprocess.run([go_command, "build", "-o", target, EXAMPLES / f"{recipe}.go"], check=True,
                           env=dict(os.environ, GOFLAGS="", GO111MODULE="off"))
        return [str(target)]

    return {
        "curl": lambda recipe: ["sh", str(EXAMPLES / f"{recipe}.sh")],
        "python": lambda recipe: [sys.executable, str(EXAMPLES / f"{recipe}.py")],
        "node": lambda recipe: ["node", str(EXAMPLES / f"{recipe}.mjs")],
        "go": go,
        "java": lambda recipe: ["java", str(EXAMPLES / f"{recipe.capitalize()}.java")],
    }


def counters_lose_nothing(service, commands):
    running = [subprocess.Popen([*command("cas"), "counter"], env=service.environment(), stdout=subprocess.PIPE, text=True)
               for command in commands.values() for _ in range(3)]
    told = [process.communicate(timeout=DEADLINE)[0].strip() for process in running]
    assert all(process.returncode == 0 for process in running), told
    assert sorted(map(int, told)) == list(range(1, len(running) + 1)), told
    assert service.ask("GET", "/keys/counter")[1] == str(len(running))


def fences_hold(service, command):
    # Granted and given back: whoever kept this token is a former holder once the program has had the lock.
    status, held = service.ask("POST", "/locks/job", b'{"owner":"former"}', Content_Type="application/json")
    assert status == 201, held
    former = json.loads(held)
    service.ask("DELETE", f"/locks/job?lease={former['lease']}")
    told = subprocess.run([*command("lock"), "job", "result", "done"], env=service.environment(), capture_output=True, text=True,
                          timeout=DEADLINE, check=True).stdout.strip()
    assert int(told) > int(former["token"]), f"{told} after {former['token']}"
    assert service.ask("GET", "/keys/result") == (200, "done")
    assert service.ask("GET", "/locks/job")[0] == 404, "the lock was not released"
    status, text = service.ask("PUT", "/keys/result", b"late", Holdfast_Fence=f"job={former['token']}")
    assert status == 412 and "fenced" in text, (status, text)
    service.ask("DELETE", "/keys/result")


def watches_go_on(service, command, folder):
    position, output = folder / "position", folder / "output"

    def watch(until):
        with open(output, "a", encoding="utf-8") as file:
            process = subprocess.Popen([*command("watch"), "watched/", str(position)], env=service.environment(), stdout=file,
                                       start_new_session=True)
            try:
                until()
            finally:
                os.killpg(process.pid, 9)  # the shell's curl as well
                process.wait()

    def keys():
        found = []
        for line in output.read_text(encoding="utf-8").split("\n")[:-1]:  # the last one may not be whole yet
            event, _, data = line.partition(" ")
            found.append((event, json.loads(data)["key"]))
        return found

    def first():
        wait_for(position.exists, "the watch has a position")
        began = position.read_text(encoding="ascii")
        service.ask("PUT", "/keys/watched/a", b"1")
        wait_for(lambda: keys() == [("put", "watched/a")], "the change is printed")
        # A kill before that prints the change once more, which is not what is tried here.
        wait_for(lambda: position.read_text(encoding="ascii") != began, "its position is kept")

    watch(first)
    service.ask("PUT", "/keys/watched/b", b"2")
    service.ask("DELETE", "/keys/watched/a")
    expected = [("put", "watched/a"), ("put", "watched/b"), ("delete", "watched/a")]
    watch(lambda: wait_for(lambda: len(keys()) >= 3, "the changes of the time between are printed"))
    assert keys() == expected, keys()
    service.ask("DELETE", "/keys/watched/b")
    for path in (position, output):
        path.unlink()


def tokens_are_needed(service, command, folder):
    wrong = folder / "wrong-token"
    wrong.write_text("not-the-token", encoding="ascii")
    done = subprocess.run([*command("cas"), "closed"], env=service.environment(wrong), capture_output=True, text=True,
                          timeout=DEADLINE, check=False)
    assert done.returncode != 0, done.stdout
    assert service.ask("GET", "/keys/closed")[0] == 404


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True, help="the holdfast program")
    parser.add_argument("--language", action="append", choices=("curl", "python", "node", "go", "java"))
    parser.add_argument("--go", default="go", help="a go that is new enough")
    for name in ("--kubernetes-url", "--kubernetes-ca", "--service-token", "--client-token"):
        parser.add_argument(name)
    options = parser.parse_args()
    for path in EXAMPLES.iterdir():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert path.suffix == ".md" or lines <= MAX_LINES, f"{path.name} has {lines} lines"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        every = programs(options.go, folder)
        commands = {language: every[language] for language in options.language or ("curl", "python")}
        service = Service(options, folder)
        try:
            counters_lose_nothing(service, commands)
            print(f"ok    cas: {', '.join(commands)} at once", flush=True)
            for language, command in commands.items():
                fences_hold(service, command)
                watches_go_on(service, command, folder)
                tokens_are_needed(service, command, folder)
                print(f"ok    lock, watch, token: {language}", flush=True)
        finally:
            service.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
