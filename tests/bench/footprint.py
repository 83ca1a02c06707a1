"""What 100 000 keys of 100 bytes cost in memory: the resident size of a fresh service before and after they are written."""

import http.client
import json
import pathlib
import re

KEYS = 100_000
BATCH = 5_000


def resident_megabytes(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmRSS:\s*(\d+)", status)[1]) / 1024


def write_keys(port, store):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    value = "x" * 100
    for first in range(0, KEYS, BATCH):
        operations = [{"op": "put", "key": f"footprint/{number}", "value": value} for number in range(first, first + BATCH)]
        connection.request("POST", f"/v1/stores/{store}/batch", json.dumps({"operations": operations}),
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200 or body.count(b'"status":201') != BATCH:
            raise SystemExit(f"{store}: a batch was not written whole: {answer.status} {body[:300]}")
    connection.close()


def lines(pid, port):
    """Rows of a table, one per store."""
    rows = ["| store | before | with 100 000 keys of 100 bytes | the keys |", "|---|---:|---:|---:|"]
    for store in ("fast", "disk"):
        before = resident_megabytes(pid)
        write_keys(port, store)
        after = resident_megabytes(pid)
        rows.append(f"| {store} | {before:.1f} MB | {after:.1f} MB | {after - before:.1f} MB |")
    return rows
