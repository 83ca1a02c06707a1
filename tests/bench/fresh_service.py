"""What is measured on a service that has done nothing before: the memory that 100 000 keys of 100 bytes cost, and one
writer with a thousand watchers of its prefix: how many events a second reach them, and how long after a write was
acknowledged the last of them has it. The watchers are one thread of Python on the same machine: a floor, not a ceiling.
"""

import argparse
import http.client
import json
import pathlib
import re
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "http"))

from compare import free_port, wait_for  # noqa: E402 pylint: disable=wrong-import-position

KEYS = 100_000
BATCH = 5_000
SUBSCRIBERS = 1000
WRITES = 50
PATIENCE = 60


def start(binary, folder):
    port = free_port()
    config = pathlib.Path(folder, "holdfast.yaml")
    config.write_text(f"""\
listen: {{address: 127.0.0.1, port: {port}}}
admin: {{address: 127.0.0.1, port: {free_port()}}}
backends:
  fast: {{type: memory}}
  disk: {{type: rocksdb, path: {folder}/data}}
stores:
  fast: {{backend: fast}}
  disk: {{backend: disk}}
default_store: fast
""", encoding="ascii")
    with open(pathlib.Path(folder, "log"), "wb") as log:
        process = subprocess.Popen([binary, "serve", "--config", str(config)], stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=log)
    wait_for(port)
    return process, port


def resident_megabytes(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmRSS:\s*(\d+)", status)[1]) * 1024 / 1e6


def write_keys(port, store):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    for first in range(0, KEYS, BATCH):
        operations = [{"op": "put", "key": f"footprint/{number}", "value": "x" * 100}
                      for number in range(first, first + BATCH)]
        connection.request("POST", f"/v1/stores/{store}/batch", json.dumps({"operations": operations}),
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200 or body.count(b'"status":201') != BATCH:
            raise SystemExit(f"{store}: a batch was not written whole: {answer.status} {body[:300]}")
    connection.close()


def footprint(binary):
    rows = ["| store | resident before | with 100 000 keys of 100 bytes | the keys |", "|---|---:|---:|---:|"]
    for store in ("fast", "disk"):
        with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
            process, port = start(binary, folder)
            try:
                before = resident_megabytes(process.pid)
                write_keys(port, store)
                after = resident_megabytes(process.pid)
            finally:
                process.terminate()
                process.wait()
        name = {"fast": "memory", "disk": "rocksdb"}[store]
        rows.append(f"| {name} | {before:.1f} MB | {after:.1f} MB | {after - before:.1f} MB |")
    return rows


def subscribe(port):
    watcher = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    watcher.sendall(b"GET /v1/stores/fast/watch?prefix=watched/ HTTP/1.1\r\nHost: x\r\n\r\n")
    received = b""
    while b"id:" not in received:  # the first line says where the stream begins
        more = watcher.recv(4096)
        if not more:
            raise SystemExit(f"a watch was refused: {received[:300]!r}")
        received += more
    return watcher


def await_event(selector, waiting):
    """Reads until each watcher has had one more event."""
    deadline = time.monotonic() + PATIENCE
    while waiting:
        if time.monotonic() > deadline:
            raise SystemExit(f"{len(waiting)} watchers never got an event")
        for key, _ in selector.select(timeout=1):
            if b"event: put" in key.fileobj.recv(65536):
                waiting.discard(key.fd)


def fan_out(port):
    watchers = [subscribe(port) for _ in range(SUBSCRIBERS)]
    selector = selectors.DefaultSelector()
    for watcher in watchers:
        selector.register(watcher, selectors.EVENT_READ)
    writer = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    writer.connect()
    writer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    delays = []
    for number in range(WRITES):
        writer.request("PUT", f"/v1/stores/fast/keys/watched/{number}", "x" * 100)
        writer.getresponse().read()
        acknowledged = time.perf_counter()
        await_event(selector, {watcher.fileno() for watcher in watchers})
        delays.append(time.perf_counter() - acknowledged)
    selector.close()
    for watcher in watchers:
        watcher.close()
    return ["| watchers | events/s | until the last has it, median | worst |", "|---:|---:|---:|---:|",
            f"| {SUBSCRIBERS} | {SUBSCRIBERS * WRITES / sum(delays):,.0f} | {statistics.median(delays) * 1000:.1f} ms | "
            f"{max(delays) * 1000:.1f} ms |"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True, help="the holdfast binary")
    options = parser.parse_args()
    rows = footprint(options.binary)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        process, port = start(options.binary, folder)
        try:
            rows += ["", *fan_out(port)]
        finally:
            process.terminate()
            process.wait()
    print("\n".join(rows))


if __name__ == "__main__":
    main()
