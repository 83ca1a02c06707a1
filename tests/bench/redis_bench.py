"""HTTP GET and PUT of 100 bytes over Redis, beside webdis on the same Redis and redis-benchmark without pipelining, in turns
within one run. The server is started here: no append-only file, reached over TCP by all of them; webdis as Debian
configures it, save for addresses and log, and answering with what Redis sent, which costs it least.

One of them at a time asks the server.
"""

import collections
import contextlib
import datetime
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE / "http"))

from compare import free_port  # noqa: E402 pylint: disable=wrong-import-position
from http_bench import KEYS, Row, keys_in_holdfast, load, machine, write_every_key  # noqa: E402 pylint: disable=wrong-import-position
from postgres_bench import Measured, Service, aimed, arguments, missed, running, time_batches  # noqa: E402 pylint: disable=wrong-import-position

from redis_cluster import cluster  # noqa: E402 pylint: disable=wrong-import-position

# Of the clusters that batches are spread over.
MASTERS = (1, 3)
# The most that is aimed at, in milliseconds, and the least of webdis.
AIM_P95 = {"GET": 2, "PUT": 5}
AIM_WEBDIS = 1.3
COMMANDS = {"GET": "GET", "PUT": "SET"}


@contextlib.contextmanager
def redis(folder):
    """Gives its port."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder]
    with running(command, port, pathlib.Path(folder, "redis.log")):
        yield port


@contextlib.contextmanager
def webdis(folder, redis_port):
    """Gives its port and process."""
    port, config = free_port(), pathlib.Path(folder, "webdis.json")
    config.write_text(json.dumps({
        "redis_host": "127.0.0.1", "redis_port": redis_port, "http_host": "127.0.0.1", "http_port": port, "threads": 5,
        "pool_size": 20, "daemonize": False, "websockets": False, "database": 0, "verbosity": 0,
        "logfile": str(pathlib.Path(folder, "webdis-own.log"))}), encoding="ascii")
    with running(["webdis", str(config)], port, pathlib.Path(folder, "webdis.log")) as process:
        yield port, process


def redis_benchmark(port, kind, options):
    """As many requests as take about as long as a turn of the others."""
    requests = 20_000 * options.seconds
    output = subprocess.run(["redis-benchmark", "-p", str(port), "-c", str(options.connections), "-n", str(requests), "-d",
                             "100", "-r", str(KEYS), "-t", COMMANDS[kind].lower(), "--csv"],
                            capture_output=True, text=True, check=True).stdout
    row = re.search(rf'^"{COMMANDS[kind]}","([\d.]+)"(?:,"[\d.]+"){{3}},"([\d.]+)"', output, re.MULTILINE)
    return Measured(float(row[1]), float(row[2]))


def fill(service, options):
    """Every key is there, connections are open, scripts known."""
    row = Row("first writes", "holdfast", "/v1/stores/main/keys/", "PUT")
    write_every_key(options, (service.process, service.port), row, lambda own: keys_in_holdfast(own, "main"))


def spent(port):
    """Microseconds of scripts at the server so far."""
    told = subprocess.run(["redis-cli", "-p", str(port), "INFO", "commandstats"], capture_output=True, text=True, check=True)
    row = re.search(r"^cmdstat_evalsha:calls=\d+,usec=(\d+)", told.stdout, re.MULTILINE)
    return int(row[1])


class Run:
    """samples[who, kind] in the order of the turns."""

    def __init__(self):
        self.logged = collections.defaultdict(list)
        self.samples, self.batches = collections.defaultdict(list), []
        self.spread = collections.defaultdict(list)

    def turn(self, port, folder, options):
        backend = f'{{type: redis, url: "redis://127.0.0.1:{port}/0", pool_max: {options.pool}}}'
        with Service(options.binary, folder, backend, True) as service:
            fill(service, options)
            for kind in COMMANDS:
                service.load(kind, options, 1)
                self.note("service", kind, service.load(kind, options, options.seconds))
            self.batches += time_batches(service.port)
        with webdis(folder, port) as (own, process):
            # Every key is there before the first GET.
            for kind, warming in (("PUT", 2), ("GET", 1)):
                row = Row(f"webdis, {kind}", "webdis", "/", f"WEBDIS_{COMMANDS[kind]}")
                load(own, process.pid, row, options, warming)
                sample = load(own, process.pid, row, options, options.seconds)
                self.note("webdis", kind, Measured(sample.rate, sample.p95))
        for kind in COMMANDS:
            self.note("redis-benchmark", kind, redis_benchmark(port, kind, options))

    def turn_of_change_logs(self, port, folder, options):
        """PUTs of a store with a change log, and of one without, in turns."""
        backend = f'{{type: redis, url: "redis://127.0.0.1:{port}/0", pool_max: {options.pool}}}'
        for log in (False, True):
            subprocess.run(["redis-cli", "-p", str(port), "FLUSHALL"], stdout=subprocess.DEVNULL, check=True)
            backups = pathlib.Path(folder, "backups")
            shutil.rmtree(backups, ignore_errors=True)
            more = (f"stores: {{main: {{backend: main, change_archive: {str(log).lower()}}}}}\n"
                    f"backups: {{directory: {backups}, change_archive_interval: 1s, change_archive_buffer: 4Gi}}")
            with Service(options.binary, folder, backend, True, more) as service:
                fill(service, options)
                service.load("PUT", options, 1)
                before = spent(port)
                sample = service.load("PUT", options, options.seconds)
                self.logged[log].append((sample.rate, (spent(port) - before) / (sample.rate * options.seconds)))
                print(f"{'with' if log else 'without'} a change log: {self.logged[log][-1]}", flush=True)

    def turn_of_clusters(self, folder, options):
        for masters in MASTERS:
            with cluster(folder, masters) as url:
                backend = f'{{type: redis, url: "{url}", pool_max: {options.pool}}}'
                with Service(options.binary, folder, backend, True) as service:
                    fill(service, options)
                    self.spread[masters] += time_batches(service.port)

    def note(self, who, kind, sample):
        self.samples[who, kind].append(sample)
        print(f"{who}, {kind}: {sample.rate:.0f}/s", flush=True)

    def median(self, who, kind):
        columns = zip(*self.samples[who, kind])
        return Measured(*(None if None in column else statistics.median(column) for column in columns))

    def lines(self):
        names = {"redis-benchmark": "redis-benchmark, {command}", "webdis": "webdis, {command}", "service": "{kind}"}
        for kind, command in COMMANDS.items():
            for who, name in names.items():
                if (who, kind) not in self.samples:
                    continue
                middle, rates = self.median(who, kind), sorted(each.rate for each in self.samples[who, kind])
                p95, ratios = f"{middle.p95:.2f} ms", [""] * 2
                if who == "service":
                    p95 += missed(middle.p95 < AIM_P95[kind])
                    ratios = [aimed(middle.rate / self.median("webdis", kind).rate, AIM_WEBDIS),
                              f"{middle.rate / self.median('redis-benchmark', kind).rate:.2f} x"]
                batch = "" if middle.batch is None else f"{middle.batch:.1f}"
                label = name.format(kind=kind, command=command)
                yield (f"| {label} | {middle.rate:,.0f} | {rates[0]:,.0f}–{rates[-1]:,.0f} | {p95} | {batch} | {ratios[0]} | "
                       f"{ratios[1]} |")

    def facts(self):
        def told(times):
            return f"{statistics.median(times):.1f} ms, p95 {statistics.quantiles(times, n=20)[-1]:.1f} ms"

        rows = [f"a batch of 100 operations, half puts: {told(self.batches)}"] if self.batches else []
        for log, name in ((False, "without"), (True, "with")):
            if self.logged[log]:
                rates, times = zip(*self.logged[log])
                rows.append(f"PUT {name} a change log: {statistics.median(rates):,.0f}/s ({min(rates):,.0f}–{max(rates):,.0f}), "
                            f"{statistics.median(times):.1f} µs of scripts at the server for each")
        return rows + [f"the same over a Redis Cluster of {masters} master{'s' if masters > 1 else ''}: {told(times)}"
                       for masters, times in self.spread.items()]


def report(run, facts, options):
    lines = [f"# Redis figures, {datetime.datetime.now():%Y-%m-%d %H:%M}", ""]
    lines += [f"- {fact}" for fact in facts]
    lines += [f"- wrk -t{options.threads} -c{options.connections}, {options.rounds} turns of {options.seconds} s each, "
              f"100-byte values, {KEYS} keys, {options.pool} connections of the service; load generator, service and server "
              "share the machine"]
    lines += [f"- {fact}" for fact in run.facts()]
    lines += ["", "| | requests/s, median | range | p95 | operations per batch | of webdis | of redis-benchmark |",
              "|---|---:|---:|---:|---:|---:|---:|"]
    lines += run.lines()
    return "\n".join(lines) + "\n"


def main():
    parser = arguments(__doc__, "wrk and redis-benchmark")
    parser.add_argument("--pool", type=int, default=8, help="connections of the service to the server")
    parser.add_argument("--change-logs", action="store_true", help="only what these cost a PUT")
    options = parser.parse_args()

    run = Run()
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        facts = machine(folder, ("redis-server", "--version"))
        with redis(folder) as port:
            for _ in range(options.rounds):
                if not options.change_logs:
                    run.turn(port, folder, options)
                run.turn_of_change_logs(port, folder, options)
        for _ in range(0 if options.change_logs else options.rounds):
            run.turn_of_clusters(folder, options)
    text = report(run, facts, options)
    pathlib.Path(options.report).write_text(text, encoding="utf-8")
    print(f"\n{text}\nwritten to {options.report}")


if __name__ == "__main__":
    main()
