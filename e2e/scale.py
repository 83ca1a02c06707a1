"""Measures the operator beside many objects on a real kube-apiserver: idle memory beside Secrets that are not its own, the way
from a cold start to many StorageClusters reconciled, what that costs in memory, time and writes, and the writes at rest.
Prints a table in Markdown; docs/performance.md has one. Nobody plays pods while the clusters are taken up: a cluster is
reconciled when its status is about its spec and says that the pods are awaited; they are said to be ready after that.

Every wait has a deadline (--patience) and says on stderr how far it is. Whatever ends the run early is told with the last
lines of the operator's log and of the API server's."""

import argparse
import concurrent.futures
import os
import pathlib
import re
import signal
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

# pylint: disable=wrong-import-position
import run  # noqa: E402
from testbed.api import Api, ApiError, path_of  # noqa: E402
from testbed.bed import cluster, condition  # noqa: E402
from testbed.operator_process import Operator  # noqa: E402
from testbed.ports import free_port  # noqa: E402
from testbed.waiting import TimedOut, until  # noqa: E402

THREADS = 4
TRIES = 10  # of one write
PROGRESS = 10.0  # seconds between two lines about a wait
LOOK = 2.0  # seconds between two looks at all clusters, which take processor time of the machine that is measured
SERIES = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")


def tell(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def in_parallel(server, what, work, items, patience):
    """work(api, item) for every item, on some threads with a connection each."""
    own, items = threading.local(), list(items)
    deadline = time.monotonic() + patience

    def one(item):
        # A server that is overrun for a moment does not end the run; what it did all the same is there already.
        for attempt in range(TRIES):
            if not hasattr(own, "api"):
                own.api = Api(server.url, server.certificates)
            try:
                return work(own.api, item)
            except ApiError as error:
                if error.status == 409 and attempt:
                    return None
                if error.status not in (429, 500, 503, 504) or attempt == TRIES - 1:
                    raise
                tell(f"{what}: {error}; once more")
            except OSError as error:
                if attempt == TRIES - 1:
                    raise
                tell(f"{what}: {error!r}; once more")
                del own.api
            time.sleep(1)

    told = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        for done, _ in enumerate(pool.map(one, items), 1):
            if time.monotonic() > deadline:
                pool.shutdown(wait=False, cancel_futures=True)
                raise TimedOut(f"not within {patience:.0f} s: {what} ({done} of {len(items)})")
            if time.monotonic() - told > PROGRESS:
                told = time.monotonic()
                tell(f"{what}: {done} of {len(items)}")


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

    def quantile(self, name, wanted, **labels):
        """The upper bound of the bucket that it lies in."""
        buckets = sorted((float(has["le"].replace("+Inf", "inf")), value) for found, has, value in self._series
                         if found == f"{name}_bucket" and all(has.get(key) == one for key, one in labels.items()))
        return next(bound for bound, value in buckets if value >= wanted * buckets[-1][1])


def mebibytes(value):
    return f"{value / 2**20:.1f} MiB"


class Bench:
    def __init__(self, server, binary, namespace, folder, patience):
        self.server, self.namespace, self.patience = server, namespace, patience
        self.api = Api(server.url, server.certificates)
        self.port = free_port()
        self.operator = Operator(binary, server, namespace, folder, flags=("--leader-elect=false", "--namespace=all"),
                                 admin_port=self.port)

    def metrics(self):
        return Metrics(self.port)

    def until(self, what, condition, progress=lambda: "", pause=0.5):
        """An operator that has ended is not waited for; a slow answer is one more reason to wait."""
        told = [time.monotonic()]

        def holds():
            if not self.operator.running():
                raise RuntimeError(f"the operator has ended while it was waited for: {what}")
            try:
                if time.monotonic() - told[0] > PROGRESS:
                    told[0] = time.monotonic()
                    tell(f"{what}: not yet {progress()}")
                return condition()
            except OSError as error:
                tell(f"{what}: {error!r}; asked again")
                return False

        until(what, holds, self.patience, pause)

    def start(self):
        self.operator.start()
        self.until("the operator is ready", self._ready)

    def _ready(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=10) as answer:
            return answer.status == 200

    def quiet(self, seconds=5.0):
        """Waits until nothing was written for so long."""
        last = [-1.0, time.monotonic()]

        def nothing_follows():
            writes = self.metrics().writes()
            if writes != last[0]:
                last[:] = [writes, time.monotonic()]
            return time.monotonic() - last[1] > seconds

        self.until("nothing is written any more", nothing_follows, lambda: f"({last[0]:.0f} writes)")

    def clusters(self, count, what, holds):
        """Waits until that holds for all of them."""
        done = [0]

        def all_are():
            path = path_of("storageclusters", self.namespace) + "?resourceVersion=0"  # from the server's cache
            done[0] = sum(1 for one in self.api.call("GET", path)["items"] if holds(one))
            return done[0] == count

        self.until(what, all_are, lambda: f"({done[0]} of {count}, {mebibytes(self.memory())})", LOOK)

    def memory(self):
        return self.metrics().total("process_resident_memory_bytes")


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

    def make(what, work, items):
        in_parallel(bench.server, what, work, items, bench.patience)

    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"payload": "x" * 1024}}
    make("making Secrets",
         lambda api, i: api.create("secrets", bench.namespace, secret | {"metadata": {"name": f"other-{i}"}}), range(secrets))
    bench.start()
    bench.quiet()
    row(f"resident memory, idle beside {secrets} Secrets of others", mebibytes(bench.memory()))
    bench.operator.stop()

    make("making StorageClusters", lambda api, i: api.create("storageclusters", bench.namespace, cluster(name=f"c{i}")),
         range(clusters))
    started = time.monotonic()
    bench.start()
    bench.clusters(clusters, "all are reconciled", observed)
    row(f"cold start until {clusters} StorageClusters are reconciled", f"{time.monotonic() - started:.0f} s")
    found = bench.metrics()
    name, controller = "controller_runtime_reconcile_time_seconds", {"controller": "storagecluster"}
    calls = found.total(f"{name}_count", **controller)
    row("reconciles until then", f"{calls:.0f}")
    row("reconcile, mean", f"{found.total(f'{name}_sum', **controller) * 1000 / calls:.0f} ms")
    for wanted, what in ((0.5, "p50"), (0.99, "p99")):
        row(f"reconcile, {what}", f"at most {found.quantile(name, wanted, **controller) * 1000:.0f} ms")
    row("requests to the API server until then, reads among them",
        f"{found.total('rest_client_requests_total'):.0f}, {found.total('rest_client_requests_total', method='GET'):.0f}")
    row("processor time until then", f"{found.total('process_cpu_seconds_total'):.1f} s")

    make("saying that pods are ready", say_ready(bench.namespace), bench.api.items("statefulsets", bench.namespace))
    bench.clusters(clusters, "all are ready", is_ready)
    bench.quiet()
    found = bench.metrics()
    row("API writes per StorageCluster from nothing to Ready, Events included", f"{found.writes() / clusters:.1f}")
    row(f"resident memory with {clusters} StorageClusters", mebibytes(bench.memory()))
    row("processor time from the cold start to Ready", f"{found.total('process_cpu_seconds_total'):.1f} s")
    time.sleep(rest)  # the measurement itself
    after = bench.metrics()
    row(f"API writes at rest in {rest:.0f} s", f"{after.writes() - found.writes():.0f}")
    row("processor time at rest",
        f"{(after.total('process_cpu_seconds_total') - found.total('process_cpu_seconds_total')) * 60 / rest:.2f} s per minute")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operator", required=True)
    parser.add_argument("--secrets", type=int, default=10_000)
    parser.add_argument("--clusters", type=int, default=1_000)
    parser.add_argument("--rest", type=float, default=60.0)
    parser.add_argument("--patience", type=float, default=1800.0, help="seconds that each wait may take")
    options = parser.parse_args()
    operator = os.path.abspath(options.operator)
    with tempfile.TemporaryDirectory(prefix="holdfast-scale-") as folder:
        server = run.start("real", folder, operator)
        bench = Bench(server, operator, "scale", folder, options.patience)
        try:
            bench.api.create("namespaces", None, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "scale"}})
            rows = measure(bench, options.secrets, options.clusters, options.rest)
        except BaseException as error:
            # The logs go with the folder.
            tell(f"ended early: {error!r}\n--- end of the operator's log\n{bench.operator.last_log()}\n"
                 f"--- end of the API server's log\n{server.last_log()}\n---")
            raise
        finally:
            bench.operator.stop()
            server.stop()
    print(f"\n| {server.description}, load average {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores | |\n|---|---|")
    for what, value in rows:
        print(f"| {what} | {value} |")


if __name__ == "__main__":
    # As Ctrl-C does: through the `finally` blocks, which stop what was started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
