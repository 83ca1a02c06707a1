"""Measures the operator beside many objects on a real kube-apiserver: idle memory beside Secrets that are not its own, the way
from a cold start to many StorageClusters reconciled, what that costs in memory, time and writes, and the writes at rest.
Prints a table in Markdown; docs/performance.md has one. Nobody plays pods while the clusters are taken up: a cluster is
reconciled when its status is about its spec and says that the pods are awaited; they are said to be ready after that."""

import argparse
import concurrent.futures
import os
import pathlib
import re
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

# pylint: disable=wrong-import-position
import run  # noqa: E402
from testbed.api import Api  # noqa: E402
from testbed.bed import cluster, condition  # noqa: E402
from testbed.operator_process import Operator  # noqa: E402
from testbed.processes import free_port  # noqa: E402
from testbed.waiting import until  # noqa: E402

THREADS = 4
PATIENCE = 1800.0
SERIES = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")


def in_parallel(server, work, items):
    """work(api, item) for every item, on some threads with a connection each."""
    own = threading.local()

    def one(item):
        if not hasattr(own, "api"):
            own.api = Api(server.url, server.certificates)
        work(own.api, item)

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one, items))


class Metrics:
    """What an operator's admin port shows at one moment."""

    def __init__(self, port):
        self._series = []
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            for line in answer.read().decode().splitlines():
                match = SERIES.match(line)
                if match:
                    self._series.append((match[1], dict(re.findall(r'(\w+)="([^"]*)"', match[2] or "")), float(match[3])))

    def total(self, name, **labels):
        return sum(value for found, has, value in self._series
                   if found == name and all(has.get(key) == wanted for key, wanted in labels.items()))

    def writes(self):
        return sum(self.total("rest_client_requests_total", method=method) for method in ("POST", "PUT", "PATCH", "DELETE"))

    def quantile(self, name, wanted):
        """The upper bound of the bucket that it lies in."""
        buckets = sorted((float(has["le"].replace("+Inf", "inf")), value) for found, has, value in self._series
                         if found == f"{name}_bucket")
        return next(bound for bound, value in buckets if value >= wanted * buckets[-1][1])


def mebibytes(value):
    return f"{value / 2**20:.1f} MiB"


class Bench:
    def __init__(self, server, binary, namespace, folder):
        self.server, self.namespace = server, namespace
        self.api = Api(server.url, server.certificates)
        self.port = free_port()
        self.operator = Operator(binary, server, namespace, folder, flags=("--leader-elect=false", "--namespace=all"),
                                 admin_port=self.port)

    def metrics(self):
        return Metrics(self.port)

    def start(self):
        self.operator.start()
        until("the operator is ready", self._ready, 120)

    def _ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=10) as answer:
                return answer.status == 200
        except OSError:
            return False

    def clusters(self):
        return self.api.items("storageclusters", self.namespace)

    def all_are(self, count, holds):
        done = sum(1 for one in self.clusters() if holds(one))
        return done == count


def observed(one):
    return one.get("status", {}).get("observedGeneration") == one["metadata"]["generation"]


def is_ready(one):
    return observed(one) and condition(one, "Ready").get("status") == "True"


def say_ready(namespace):
    status = {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1}

    def work(api, one):
        body = {"status": status | {"observedGeneration": one["metadata"]["generation"]}}
        api.patch("statefulsets", namespace, one["metadata"]["name"], body, "status")
    return work


def measure(bench, secrets, clusters, rest):
    rows = []

    def row(what, value):
        rows.append((what, value))
        print(f"{what}: {value}", flush=True)

    last = [-1.0, 0.0]

    def quiet():
        writes = bench.metrics().writes()
        if writes != last[0]:
            last[:] = [writes, time.monotonic()]
        return time.monotonic() - last[1] > 5

    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"payload": "x" * 1024}}
    in_parallel(bench.server, lambda api, i: api.create("secrets", bench.namespace, secret | {"metadata": {"name": f"other-{i}"}}),
                range(secrets))
    bench.start()
    until("it has nothing to do", quiet, PATIENCE, 1)
    row(f"resident memory, idle beside {secrets} Secrets of others", mebibytes(bench.metrics().total("process_resident_memory_bytes")))
    bench.operator.stop()

    in_parallel(bench.server, lambda api, i: api.create("storageclusters", bench.namespace, cluster(name=f"c{i}")), range(clusters))
    started = time.monotonic()
    bench.start()
    until("all are reconciled", lambda: bench.all_are(clusters, observed), PATIENCE, 2)
    row(f"cold start until {clusters} StorageClusters are reconciled", f"{time.monotonic() - started:.0f} s")
    found = bench.metrics()
    for wanted, name in ((0.5, "p50"), (0.99, "p99")):
        row(f"reconcile, {name}", f"at most {found.quantile('controller_runtime_reconcile_time_seconds', wanted) * 1000:.0f} ms")

    in_parallel(bench.server, say_ready(bench.namespace), bench.api.items("statefulsets", bench.namespace))
    until("all are ready", lambda: bench.all_are(clusters, is_ready), PATIENCE, 2)
    until("nothing follows", quiet, PATIENCE, 1)
    found = bench.metrics()
    row("API writes per StorageCluster from nothing to Ready, Events included", f"{found.writes() / clusters:.1f}")
    row(f"resident memory with {clusters} StorageClusters", mebibytes(found.total("process_resident_memory_bytes")))
    row("processor time until then", f"{found.total('process_cpu_seconds_total'):.1f} s")
    time.sleep(rest)  # the measurement itself
    row(f"API writes at rest in {rest:.0f} s", f"{bench.metrics().writes() - found.writes():.0f}")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operator", required=True)
    parser.add_argument("--secrets", type=int, default=10_000)
    parser.add_argument("--clusters", type=int, default=1_000)
    parser.add_argument("--rest", type=float, default=60.0)
    options = parser.parse_args()
    operator = os.path.abspath(options.operator)
    with tempfile.TemporaryDirectory(prefix="holdfast-scale-") as folder:
        server = run.start("real", folder, operator)
        bench = Bench(server, operator, "scale", folder)
        try:
            bench.api.create("namespaces", None, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "scale"}})
            rows = measure(bench, options.secrets, options.clusters, options.rest)
        finally:
            bench.operator.stop()
            server.stop()
    print(f"\n| {server.description}, load average {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores | |\n|---|---|")
    for what, value in rows:
        print(f"| {what} | {value} |")


if __name__ == "__main__":
    main()
