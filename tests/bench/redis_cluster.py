"""A Redis Cluster of masters alone, without an append-only file, for the benches."""

import contextlib
import pathlib
import subprocess
import tempfile
import time

from compare import free_port
from postgres_bench import running

SLOTS = 16_384
PATIENCE = 30


def say(port, *words):
    return subprocess.run(["redis-cli", "-e", "-p", str(port), *map(str, words)], capture_output=True, text=True,
                          check=True).stdout


@contextlib.contextmanager
def cluster(folder, masters):
    """Gives the url, once every node serves all slots."""
    with contextlib.ExitStack() as stack:
        ports = []
        for number in range(masters):
            # New every time: a server that finds the nodes.conf of an earlier cluster is still a part of that.
            own = pathlib.Path(tempfile.mkdtemp(prefix=f"cluster-of-{masters}-{number}-", dir=folder))
            port, bus = free_port(), free_port()
            stack.enter_context(running(
                ["redis-server", "--port", str(port), "--cluster-port", str(bus), "--bind", "127.0.0.1", "--save", "",
                 "--appendonly", "no", "--dir", str(own), "--cluster-enabled", "yes"], port, own / "redis.log"))
            ports.append((port, bus))
        for number, (port, _) in enumerate(ports):
            say(port, "cluster", "set-config-epoch", number + 1)
            say(port, "cluster", "addslotsrange", number * SLOTS // masters, (number + 1) * SLOTS // masters - 1)
        for port, bus in ports[1:]:
            say(ports[0][0], "cluster", "meet", "127.0.0.1", port, bus)
        deadline = time.monotonic() + PATIENCE
        for port, _ in ports:
            while True:
                told = say(port, "cluster", "info")
                if "cluster_state:ok" in told and f"cluster_known_nodes:{masters}\n" in told:
                    break
                if time.monotonic() > deadline:
                    raise SystemExit(f"a cluster of {masters} masters does not form: {told}")
                time.sleep(0.05)
        yield "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port, _ in ports)
