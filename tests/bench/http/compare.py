#!/usr/bin/env python3
"""Our HTTP server, nginx `return 200` and naive Beast, same 100 bytes, same load, in turns within one run.

    tests/bench/http/compare.py --bin build/release/bin [--rounds 5] [--seconds 5] [--connections 64]

Prints requests per second and processor microseconds per request (the server's own user and system time: what remains
comparable when the machine is busy with something else), and the ratios of the medians.
"""
import argparse
import os
import pathlib
import re
import socket
import statistics
import subprocess
import tempfile
import time

NGINX_CONF = """
worker_processes 2;
daemon off;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  default_type text/plain;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{body}"; }} }}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def processor_seconds(pid):
    """User and system time of the process and its children so far."""
    children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
    ticks = 0
    for each in [str(pid), *children]:
        fields = pathlib.Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def load(port, pid, seconds, connections):
    before = processor_seconds(pid)
    output = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"http://127.0.0.1:{port}/"],
        capture_output=True, text=True, check=True).stdout
    used = processor_seconds(pid) - before
    if "Non-2xx" in output:
        raise SystemExit(output)
    total = int(re.search(r"(\d+) requests in", output).group(1))
    rate = float(re.search(r"Requests/sec:\s*([\d.]+)", output).group(1))
    return rate, used / total * 1e6


def wait_for(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"nothing listens on port {port}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/release/bin", type=pathlib.Path)
    parser.add_argument("--rounds", default=5, type=int)
    parser.add_argument("--seconds", default=5, type=int)
    parser.add_argument("--connections", default=64, type=int)
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as root:
        ports = {name: free_port() for name in ("holdfast", "nginx", "naive beast")}
        conf = pathlib.Path(root, "nginx.conf")
        conf.write_text(NGINX_CONF.format(root=root, port=ports["nginx"], body="x" * 100))
        commands = {
            "holdfast": [arguments.bin / "bench_http_echo", str(ports["holdfast"]), "2"],
            "nginx": ["nginx", "-p", root, "-c", conf],
            "naive beast": [arguments.bin / "bench_http_naive_beast", str(ports["naive beast"]), "2"],
        }
        servers = {
            name: subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for name, command in commands.items()
        }
        figures = {name: [] for name in servers}
        try:
            for port in ports.values():
                wait_for(port)
            for _ in range(arguments.rounds):
                for name, server in servers.items():
                    figures[name].append(load(ports[name], server.pid, arguments.seconds, arguments.connections))
        finally:
            for server in servers.values():
                server.terminate()
                server.wait()

    medians = {name: tuple(statistics.median(column) for column in zip(*rows)) for name, rows in figures.items()}
    for name, (rate, cost) in medians.items():
        rates = " ".join(f"{row[0]:.0f}" for row in figures[name])
        print(f"{name:12} {rate:9.0f} req/s {cost:6.2f} us/req   [{rates}]")
    for name in ("nginx", "naive beast"):
        print(f"holdfast / {name}: {medians['holdfast'][0] / medians[name][0]:.2f} x requests per second, "
              f"{medians['holdfast'][1] / medians[name][1]:.2f} x processor time per request")


if __name__ == "__main__":
    main()
