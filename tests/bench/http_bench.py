"""HTTP GET and PUT of 100 bytes over the memory and rocksdb backends, beside nginx `return 200` and the JSON gateway of
etcd (one member, its data beside ours on the same disk), in turns within one run.

Absolute figures are worth little on a shared machine; the ratios to what ran in between are what to compare.
"""

import argparse
import base64
import collections
import datetime
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "http"))

from compare import NGINX_CONF, free_port, processor_seconds, wait_for  # noqa: E402 pylint: disable=wrong-import-position

KEYS = 10_000
Sample = collections.namedtuple("Sample", "rate cost p50 p99")
# What is measured: label, server, path in front of the keys, what requests.lua makes, and the labels of the rows it is
# compared with.
Row = collections.namedtuple("Row", "label server path kind nginx etcd", defaults=(None, None))
NGINX_GET, NGINX_PUT = "nginx `return 200`, GET", "nginx `return 200`, PUT"
ETCD_RANGE, ETCD_PUT = "etcd, POST /v3/kv/range", "etcd, POST /v3/kv/put, on disk before it is acknowledged"
ROWS = [
    Row(NGINX_GET, "nginx", "/", "GET"),
    Row(ETCD_RANGE, "etcd", "/v3/kv/", "ETCD_RANGE"),
    Row("memory, GET", "holdfast", "/v1/stores/fast/keys/", "GET", NGINX_GET),
    Row("rocksdb, GET", "holdfast", "/v1/stores/disk/keys/", "GET", NGINX_GET, ETCD_RANGE),
    Row(NGINX_PUT, "nginx", "/", "PUT"),
    Row(ETCD_PUT, "etcd", "/v3/kv/", "ETCD_PUT"),
    Row("memory, PUT", "holdfast", "/v1/stores/fast/keys/", "PUT", NGINX_PUT),
    Row("rocksdb, PUT, on disk before it is acknowledged", "holdfast", "/v1/stores/disk/keys/", "PUT", NGINX_PUT,
        ETCD_PUT),
]


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def load(port, pid, row, options, seconds):
    before = processor_seconds(pid)
    output = subprocess.run(
        ["wrk", "--latency", f"-t{options.threads}", f"-c{options.connections}", f"-d{seconds}s",
         "-s", str(HERE / "requests.lua"), f"http://127.0.0.1:{port}{row.path}", "--", row.kind, str(KEYS)],
        capture_output=True, text=True, check=True).stdout
    used = processor_seconds(pid) - before
    if "Non-2xx" in output or "Socket errors" in output:
        raise SystemExit(f"{row.label}: not every request succeeded, the figures mean nothing:\n{output}")
    total = int(re.search(r"(\d+) requests in", output)[1])
    rate = float(re.search(r"Requests/sec:\s*([\d.]+)", output)[1])
    latency = {share: milliseconds(re.search(rf"\s{share}%\s+(\S+)", output)[1]) for share in (50, 99)}
    return Sample(rate, used / total * 1e6, latency[50], latency[99])


def start(options, folder):
    """{name: (process, port)}"""
    ports = {"nginx": free_port(), "etcd": free_port(), "holdfast": free_port()}
    etcd, etcd_peers = f"http://127.0.0.1:{ports['etcd']}", f"http://127.0.0.1:{free_port()}"
    nginx_conf, config = pathlib.Path(folder, "nginx.conf"), pathlib.Path(folder, "holdfast.yaml")
    nginx_conf.write_text(NGINX_CONF.format(root=folder, port=ports["nginx"], body="x" * 100), encoding="ascii")
    config.write_text(f"""\
listen: {{address: 127.0.0.1, port: {ports['holdfast']}}}
admin: {{address: 127.0.0.1, port: {free_port()}}}
backends:
  fast: {{type: memory}}
  disk: {{type: rocksdb, path: {folder}/data}}
stores:
  fast: {{backend: fast}}
  disk: {{backend: disk}}
default_store: fast
""", encoding="ascii")
    commands = {"nginx": ["nginx", "-p", folder, "-c", str(nginx_conf)],
                "etcd": ["etcd", "--data-dir", os.path.join(folder, "etcd"), "--listen-client-urls", etcd,
                         "--advertise-client-urls", etcd, "--listen-peer-urls", etcd_peers,
                         "--initial-advertise-peer-urls", etcd_peers, "--initial-cluster", f"default={etcd_peers}"],
                "holdfast": [options.binary, "serve", "--config", str(config)]}
    servers = {}
    for name, command in commands.items():
        with open(os.path.join(folder, f"{name}.log"), "wb") as log:
            servers[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log), ports[name]
    return servers


def keys_in_holdfast(port, store):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/stores/{store}/count?prefix=bench/") as answer:
        return json.load(answer)["count"]


def keys_in_etcd(port):
    first, end = (base64.b64encode(key).decode() for key in (b"bench/", b"bench0"))
    question = json.dumps({"key": first, "range_end": end, "count_only": True}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v3/kv/range", question) as answer:
        return int(json.load(answer).get("count", 0))


def wait_for_leader(port):
    """etcd listens before it has elected itself."""
    for _ in range(200):
        try:
            keys_in_etcd(port)
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("etcd does not answer; see why with: etcd --data-dir $(mktemp -d)")


def write_every_key(options, server, row, count):
    process, port = server
    for seconds in (2, 4, 8, 16, 32):  # each run begins at the first key again
        load(port, process.pid, row, options, seconds)
        if count(port) == KEYS:
            return
    raise SystemExit(f"{row.label}: {count(port)} of {KEYS} keys written in 32 s; the disk is too slow or too busy")


def measure(options, servers):
    # Every key is there before the first GET.
    for store in ("fast", "disk"):
        row = Row(f"first writes, {store}", "holdfast", f"/v1/stores/{store}/keys/", "PUT")
        write_every_key(options, servers["holdfast"], row, lambda port, store=store: keys_in_holdfast(port, store))
    write_every_key(options, servers["etcd"], Row("first writes, etcd", "etcd", "/v3/kv/", "ETCD_PUT"), keys_in_etcd)
    samples = [[] for _ in ROWS]
    for turn in range(options.rounds):
        for index, row in enumerate(ROWS):
            process, port = servers[row.server]
            samples[index].append(load(port, process.pid, row, options, options.seconds))
            print(f"turn {turn + 1}/{options.rounds}: {row.label}: {samples[index][-1].rate:.0f}/s", flush=True)
    return samples


def command_output(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else "?"


def fsync_milliseconds(folder):
    """Median time of write + fdatasync of 200 bytes: what the disk asks for one durable write."""
    times = []
    with open(os.path.join(folder, "fsync"), "wb", buffering=0) as file:
        for _ in range(200):
            started = time.perf_counter()
            file.write(b"x" * 200)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


def machine(folder):
    cpu = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii"))
    memory = int(re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text(encoding="ascii"))[1]) >> 20
    return [
        f"{os.cpu_count()} x {cpu[1] if cpu else platform.machine()}, {memory} GiB, Linux {platform.release()}; "
        f"load before the run {os.getloadavg()[0]:.1f}",
        f"fdatasync of 200 bytes: {fsync_milliseconds(folder):.3f} ms",
        f"{command_output('nginx', '-v')}; {command_output('etcd', '--version')}; {command_output('g++', '--version')}",
        f"commit {command_output('git', 'describe', '--always', '--dirty')}",
    ]


def report(samples, facts, options):
    lines = [f"# HTTP figures, {datetime.datetime.now():%Y-%m-%d %H:%M}", ""]
    lines += [f"- {fact}" for fact in facts]
    lines += [f"- wrk -t{options.threads} -c{options.connections}, {options.rounds} turns of {options.seconds} s each, "
              f"100-byte values, {KEYS} keys; load generator and servers share the machine", "",
              "| | requests/s, median | range | p50 | p99 | CPU per request | of nginx | of etcd |",
              "|---|---:|---:|---:|---:|---:|---:|---:|"]
    medians = {row.label: Sample(*map(statistics.median, zip(*column))) for row, column in zip(ROWS, samples)}
    for row, column in zip(ROWS, samples):
        middle = medians[row.label]
        rates = sorted(sample.rate for sample in column)
        of_nginx, of_etcd = (f"{middle.rate / medians[other].rate:.2f} x" if other else ""
                             for other in (row.nginx, row.etcd))
        lines.append(f"| {row.label} | {middle.rate:,.0f} | {rates[0]:,.0f}–{rates[-1]:,.0f} | {middle.p50:.2f} ms | "
                     f"{middle.p99:.2f} ms | {middle.cost:.1f} µs | {of_nginx} | {of_etcd} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True, help="the holdfast binary")
    parser.add_argument("--report", required=True, help="where the table goes, besides standard output")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        facts = machine(folder)
        servers = start(options, folder)
        try:
            for _, port in servers.values():
                wait_for(port)
            wait_for_leader(servers["etcd"][1])
            samples = measure(options, servers)
        finally:
            for process, _ in servers.values():
                process.terminate()
                process.wait()
    text = report(samples, facts, options)
    pathlib.Path(options.report).write_text(text, encoding="utf-8")
    print(f"\n{text}\nwritten to {options.report}")


if __name__ == "__main__":
    main()
