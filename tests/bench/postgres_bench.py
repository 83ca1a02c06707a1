"""HTTP GET and PUT of 100 bytes over PostgreSQL, beside pgbench with a prepared one-row select and upsert on the same
table with as many connections, and beside the same service with batching off (executor.batch_operations: 1), in turns
within one run. The server is started here: PostgreSQL as initdb leaves it, fsync on, reached over TCP by all of them.

One process at a time asks the server: two services on one schema would log every change for each other.
"""

import argparse
import collections
import contextlib
import datetime
import http.client
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE / "http"))

from compare import free_port, wait_for  # noqa: E402 pylint: disable=wrong-import-position
from http_bench import KEYS, Row, keys_in_holdfast, load, machine, write_every_key  # noqa: E402 pylint: disable=wrong-import-position

PROGRAMS = pathlib.Path("/usr/lib/postgresql/15/bin")
# The most that is aimed at, in milliseconds.
AIM_READ_P95, AIM_WRITE_P95, AIM_BATCH = 10, 20, 100
AIMS = {"GET": {"pgbench": 0.6, "unbatched": 2.5}, "PUT": {"pgbench": 1.4, "unbatched": 2.5}}
AIM_REUSE = 0.9
BATCHES = 50
OPERATIONS_PER_BATCH = 100
# A key as the service stores it (service/storage/key_space.h): store \0 namespace \0 room key.
KEY = r"'\x{}'::bytea || :number::text::bytea".format("main\0default\0kbench/".encode().hex())
SCRIPTS = {
    "GET": f"SELECT version, created_at, updated_at, expires_at, content_type, metadata, tags, value "
           f"FROM holdfast.entries WHERE key = {KEY};",
    "PUT": f"INSERT INTO holdfast.entries (key, version, created_at, updated_at, value) VALUES ({KEY}, 1, 1, 1, "
           f"'{'x' * 100}') ON CONFLICT (key) DO UPDATE SET version = entries.version + 1, "
           "updated_at = excluded.updated_at, value = excluded.value;",
}
Measured = collections.namedtuple("Measured", "rate p95 batch", defaults=(None, None))


def unprivileged():
    """What stands before a command so that PostgreSQL accepts who runs it, and who that is unless it is us."""
    if os.geteuid() != 0:
        return [], None
    account = pwd.getpwnam("postgres")
    return ["setpriv", "--reuid", "postgres", "--regid", str(account.pw_gid), "--clear-groups"], account


@contextlib.contextmanager
def running(command, port, log, stop=signal.SIGTERM):
    """A process that listens on port as long as the context lasts."""
    with open(log, "ab") as output:
        process = subprocess.Popen(command, cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        try:
            wait_for(port)
        except SystemExit as nothing:
            raise SystemExit(f"{nothing}:\n{log.read_text(encoding='utf-8')[-2000:]}") from None
        yield process
    finally:
        process.send_signal(stop)
        process.wait()


@contextlib.contextmanager
def postgres(folder):
    """A server with its data in folder; gives its URL."""
    prefix, account = unprivileged()
    data, port = pathlib.Path(folder, "server"), free_port()
    data.mkdir(mode=0o700)
    if account:
        os.chmod(folder, 0o711)
        os.chown(data, account.pw_uid, account.pw_gid)
    subprocess.run([*prefix, PROGRAMS / "initdb", "--data-checksums", "--encoding=UTF8", "--locale=C", "--auth=trust",
                    "--username=postgres", "--pgdata", data], cwd="/", stdout=subprocess.DEVNULL, check=True)
    command = [*prefix, PROGRAMS / "postgres", "-D", data, "-p", str(port), "-k", data, "-h", "127.0.0.1"]
    # SIGINT: without waiting for who is still connected.
    with running(command, port, pathlib.Path(folder, "server.log"), signal.SIGINT):
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"


class Service:
    """holdfast on this backend, as it stands in the settings; serves as long as the context lasts. `more`: settings."""

    def __init__(self, binary, folder, backend, batched, more=None):
        self.port, self.admin = free_port(), free_port()
        self.config, self.log = pathlib.Path(folder, "holdfast.yaml"), pathlib.Path(folder, "holdfast.log")
        self.config.write_text(f"""\
listen: {{address: 127.0.0.1, port: {self.port}}}
admin: {{address: 127.0.0.1, port: {self.admin}}}
backends:
  main: {backend}
{more or "stores: {main: {backend: main}}"}
default_store: main
""" + ("" if batched else "executor: {batch_operations: 1}\n"), encoding="ascii")
        self.binary, self.process, self.context = pathlib.Path(binary).resolve(), None, None

    def migrate(self):
        done = subprocess.run([self.binary, "migrate", "up", "--config", self.config], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"holdfast migrate up: {done.stdout}")

    def __enter__(self):
        self.context = running([self.binary, "serve", "--config", self.config], self.port, self.log)
        self.process = self.context.__enter__()
        return self

    def __exit__(self, *reason):
        self.context.__exit__(*reason)

    def metric(self, name, **labels):
        """Sum of what carries these labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics") as answer:
            text = answer.read().decode()
        rows = re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", text, re.MULTILINE)
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(float(value) for found, value in rows if all(each in found for each in wanted))

    def load(self, kind, options, seconds):
        row = Row(f"{kind} through the service", "holdfast", "/v1/stores/main/keys/", kind)
        before = [self.metric(f"holdfast_batch_size_{part}", store="main") for part in ("sum", "count")]
        sample = load(self.port, self.process.pid, row, options, seconds)
        after = [self.metric(f"holdfast_batch_size_{part}", store="main") for part in ("sum", "count")]
        return Measured(sample.rate, sample.p95, (after[0] - before[0]) / (after[1] - before[1]))

    def reuse(self):
        """The share of calls that found an open connection."""
        opened = self.metric("holdfast_pool_changes_total", change="opened")
        return 1 - opened / self.metric("holdfast_pool_requests_total")


def time_batches(port):
    """Milliseconds of each batch, half of it puts and half gets."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    times = []
    for turn in range(BATCHES):
        operations = []
        for number in range(OPERATIONS_PER_BATCH):
            key = f"bench/{(turn * OPERATIONS_PER_BATCH + number) % KEYS}"
            put = {"op": "put", "key": key, "value": "x" * 100}
            operations.append(put if number % 2 else {"op": "get", "key": key})
        body = json.dumps({"operations": operations})
        started = time.perf_counter()
        connection.request("POST", "/v1/stores/main/batch", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        times.append((time.perf_counter() - started) * 1000)
        if answer.status != 200 or text.count(b'"status":20') != OPERATIONS_PER_BATCH:
            raise SystemExit(f"a batch did not succeed whole: {answer.status} {text[:300]}")
    connection.close()
    return times


def pgbench(url, folder, kind, connections, options):
    script = pathlib.Path(folder, f"{kind}.sql")
    script.write_text(f"\\set number random(0, {KEYS - 1})\n{SCRIPTS[kind]}\n", encoding="ascii")
    output = subprocess.run([PROGRAMS / "pgbench", "-n", "-M", "prepared", "-c", str(connections), "-j",
                             str(options.threads), "-T", str(options.seconds), "-f", script, url],
                            capture_output=True, text=True, check=True).stdout
    return Measured(float(re.search(r"tps = ([\d.]+)", output)[1]))


def backend(url, connections):
    return f'{{type: postgres, url: "{url}", pool_max: {connections}}}'


def look_for_keys(url):
    """pgbench is to ask for the rows of the service, and no others."""
    key = KEY.replace(":number", "number")
    found = subprocess.run([PROGRAMS / "psql", "-Atc", f"SELECT count(*) FROM generate_series(0, {KEYS - 1}) AS number "
                            f"JOIN holdfast.entries ON key = {key}", url], capture_output=True, text=True, check=True)
    if int(found.stdout) != KEYS:
        raise SystemExit(f"pgbench would find {int(found.stdout)} of {KEYS} keys: do keys begin otherwise now?")


class Run:
    """What was measured with so many connections: samples[who, kind] in the order of the turns."""

    def __init__(self, connections):
        self.connections, self.samples, self.batches, self.reuse = connections, collections.defaultdict(list), [], 1.0

    def turn(self, url, folder, options):
        for who in ("batched", "unbatched"):
            with Service(options.binary, folder, backend(url, self.connections), who == "batched") as service:
                for kind in AIMS:
                    service.load(kind, options, 1)  # opens the connections
                    self.samples[who, kind].append(service.load(kind, options, options.seconds))
                    self.say(who, kind)
                if who == "batched":
                    self.batches += time_batches(service.port)
                    self.reuse = min(self.reuse, service.reuse())
        for kind in AIMS:
            self.samples["pgbench", kind].append(pgbench(url, folder, kind, self.connections, options))
            self.say("pgbench", kind)

    def say(self, who, kind):
        print(f"{self.connections} connections: {who}, {kind}: {self.samples[who, kind][-1].rate:.0f}/s", flush=True)

    def median(self, who, kind):
        columns = zip(*self.samples[who, kind])
        return Measured(*(None if None in column else statistics.median(column) for column in columns))

    def lines(self):
        names = {"pgbench": "pgbench -M prepared, {}", "unbatched": "{}, batching off", "batched": "{}"}
        statement = {"GET": "select", "PUT": "upsert"}
        for kind, aims in AIMS.items():
            own = self.median("batched", kind)
            for who, name in names.items():
                middle, rates = self.median(who, kind), sorted(each.rate for each in self.samples[who, kind])
                ratios = [""] * 2
                if who == "batched":
                    ratios = [aimed(own.rate / self.median(other, kind).rate, aims[other]) for other in aims]
                p95 = "" if middle.p95 is None else f"{middle.p95:.2f} ms"
                if who == "batched":
                    p95 += missed(middle.p95 < (AIM_READ_P95 if kind == "GET" else AIM_WRITE_P95))
                batch = "" if middle.batch is None else f"{middle.batch:.1f}"
                label = name.format(statement[kind] if who == "pgbench" else kind)
                spread = f"{rates[0]:,.0f}–{rates[-1]:,.0f}"
                yield (f"| {self.connections} | {label} | {middle.rate:,.0f} | {spread} | {p95} | {batch} | "
                       f"{ratios[0]} | {ratios[1]} |")

    def facts(self):
        slow = statistics.quantiles(self.batches, n=20)[-1]
        return [f"{self.connections} connections: a batch of {OPERATIONS_PER_BATCH} operations, half puts: "
                f"{statistics.median(self.batches):.1f} ms, p95 {slow:.1f} ms{missed(slow < AIM_BATCH)}; "
                f"connection reuse {self.reuse:.2%}{missed(self.reuse > AIM_REUSE)}"]


def missed(met):
    return "" if met else " (missed)"


def aimed(ratio, aim):
    return f"{ratio:.2f} x (aim {aim}{'' if ratio >= aim else ', missed'})"


def report(runs, facts, options):
    lines = [f"# PostgreSQL figures, {datetime.datetime.now():%Y-%m-%d %H:%M}", ""]
    lines += [f"- {fact}" for fact in facts]
    lines += [f"- wrk -t{options.threads} -c{options.connections}, {options.rounds} turns of {options.seconds} s each, "
              f"100-byte values, {KEYS} keys; fsync on; load generator, service and server share the machine"]
    lines += [f"- {fact}" for run in runs for fact in run.facts()]
    lines += ["", "| connections | | requests/s, median | range | p95 | operations per batch | of pgbench | "
              "of batching off |",
              "|---:|---|---:|---:|---:|---:|---:|---:|"]
    lines += [line for run in runs for line in run.lines()]
    return "\n".join(lines) + "\n"


def arguments(description, connections_of):
    """Of what every bench over a server takes."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, help="the holdfast binary")
    parser.add_argument("--report", required=True, help="where the table goes, besides standard output")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--connections", type=int, default=64, help=f"of {connections_of}")
    return parser


def main():
    parser = arguments(__doc__, "wrk to the service")
    parser.add_argument("--pool", type=int, nargs="+", default=[8, 20], help="connections to the server")
    options = parser.parse_args()

    folder = tempfile.mkdtemp(prefix="holdfast-bench-")
    try:
        facts = machine(folder, (str(PROGRAMS / "postgres"), "--version"))
        runs = [Run(connections) for connections in options.pool]
        with postgres(folder) as url:
            first = Service(options.binary, folder, backend(url, 8), True)
            first.migrate()
            with first as service:
                row = Row("first writes", "holdfast", "/v1/stores/main/keys/", "PUT")
                write_every_key(options, (service.process, service.port), row,
                                lambda port: keys_in_holdfast(port, "main"))
            look_for_keys(url)
            for _ in range(options.rounds):
                for run in runs:
                    run.turn(url, folder, options)
    finally:
        shutil.rmtree(folder)
    text = report(runs, facts, options)
    pathlib.Path(options.report).write_text(text, encoding="utf-8")
    print(f"\n{text}\nwritten to {options.report}")


if __name__ == "__main__":
    main()
