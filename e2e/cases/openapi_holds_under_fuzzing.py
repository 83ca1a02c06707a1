"""Whatever a client sends, the service answers what its OpenAPI document says, and never fails: schemathesis, made from that
document, over a memory and a rocksdb store. It needs no cluster; it runs once, beside the real server."""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

from testbed.ports import free_port
from testbed.processes import Process
from testbed.waiting import until

SERVERS = ("real",)

E2E = pathlib.Path(__file__).resolve().parent.parent
PINNED = E2E / "schemathesis.txt"
CHECKS = ("no_failure_of_the_server", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
          "response_headers_conformance", "allow_header_conformance")
EXAMPLES = 12  # of each operation, behind the systematic ones
CONFIGURATION = """\
listen: {{address: 127.0.0.1, port: {port}}}
admin: {{address: 127.0.0.1, port: {admin}}}
data_dir: {folder}
backends:
  memory: {{type: memory}}
  rocksdb: {{type: rocksdb, path: rocksdb}}
stores:
  memory: {{backend: memory}}
  rocksdb: {{backend: rocksdb}}
default_store: memory
audit: {{on: true}}
"""


def installed():
    """The bin folder of a virtual environment with exactly what is pinned; made once."""
    digest = hashlib.sha256(PINNED.read_bytes()).hexdigest()[:12]
    folder = E2E.parent / "build" / f"schemathesis-{digest}"
    if not (folder / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r", PINNED],
                       check=True)
        (folder / "complete").touch()
    return folder / "bin"


def document_of(url):
    with urllib.request.urlopen(f"{url}/v1/openapi.json") as answer:
        return json.load(answer)


def is_ready(admin):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz") as answer:
            return answer.status == 200
    except (OSError, urllib.error.HTTPError):
        return False


def fuzz(tools, url, store, folder):
    """The store stands in the document instead of a parameter, so that every request reaches one, and so does the namespace
    whose quota is set: one of 0 bytes for everybody would leave nothing to find."""
    document = document_of(url)
    fixed = {"store": store, "namespace": "limited"}

    def free(parameters):
        return [one for one in parameters if not is_in_path(one, fixed, document)]

    document["paths"] = {path.format_map(Fixed(fixed)): {
        method: {**operation, "parameters": free(operation.get("parameters", []))}
        if isinstance(operation, dict) else free(operation)
        for method, operation in operations.items()} for path, operations in document["paths"].items()}
    schema = pathlib.Path(folder, f"{store}.json")
    schema.write_text(json.dumps(document), encoding="utf-8")
    command = [tools / "schemathesis", "run", schema, "--url", url, "--checks", ",".join(CHECKS), "--phases",
               "examples,coverage,fuzzing", "--max-examples", EXAMPLES, "--seed", os.environ.get("HOLDFAST_SEED", "1"),
               # Ends streams and waits, which would last for ever.
               "--header", "Holdfast-Timeout: 300ms", "--request-timeout", 30, "--continue-on-failure", "--no-color",
               "--suppress-health-check", "all", "--warnings", "off"]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "schema_checks", "PYTHONPATH": str(E2E / "testbed")}
    done = subprocess.run([str(word) for word in command], cwd=folder, env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"{store}: schemathesis found something:\n{done.stdout[-8000:]}"
    return int(re.search(r"(\d+) generated", done.stdout)[1])


class Fixed(dict):
    """Leaves what it does not know as it is."""
    def __missing__(self, name):
        return f"{{{name}}}"


def is_in_path(parameter, names, document):
    while "$ref" in parameter:
        found = document
        for part in parameter["$ref"].split("/")[1:]:
            found = found[part]
        parameter = found
    return parameter.get("in") == "path" and parameter.get("name") in names


def run(bed):
    tools = installed()
    with tempfile.TemporaryDirectory(dir=bed.folder) as folder:
        port, admin = free_port(), free_port()
        settings = pathlib.Path(folder, "holdfast.yaml")
        settings.write_text(CONFIGURATION.format(port=port, admin=admin, folder=folder), encoding="utf-8")
        service = Process("holdfast", [bed.service_binary, "serve", "--config", settings], folder)
        try:
            until("the service is ready", lambda: is_ready(admin))
            requests = [fuzz(tools, f"http://127.0.0.1:{port}", store, folder) for store in ("memory", "rocksdb")]
            assert service.running(), f"the service has ended: {service.last_log()}"
        finally:
            service.stop()
    return f"{sum(requests)} requests"
