"""One writer and a thousand watchers of its prefix: how many events a second reach them, and how long after a write was
acknowledged the last of them has it. The watchers are one thread of Python on the same machine: a floor, not a ceiling."""

import http.client
import selectors
import socket
import statistics
import time

SUBSCRIBERS = 1000
WRITES = 50
PATIENCE = 60


def subscribe(port, store):
    watcher = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    watcher.sendall(f"GET /v1/stores/{store}/watch?prefix=watched/ HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    received = b""
    while b"\r\n\r\n" not in received or b"id:" not in received:  # the first line says where the stream begins
        received += watcher.recv(4096)
    if not received.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"a watch was refused: {received[:300]!r}")
    return watcher


def drain(selector, waiting):
    """Reads until each watcher has had one more event; the sockets that are late when patience ends are an error."""
    deadline = time.monotonic() + PATIENCE
    while waiting:
        if time.monotonic() > deadline:
            raise SystemExit(f"{len(waiting)} watchers never got an event")
        for key, _ in selector.select(timeout=1):
            if b"event: put" in key.fileobj.recv(65536):
                waiting.discard(key.fd)


def lines(port, store):
    watchers = [subscribe(port, store) for _ in range(SUBSCRIBERS)]
    selector = selectors.DefaultSelector()
    for watcher in watchers:
        selector.register(watcher, selectors.EVENT_READ)
    writer = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    writer.connect()
    writer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    delays = []
    for number in range(WRITES):
        writer.request("PUT", f"/v1/stores/{store}/keys/watched/{number}", "x" * 100)
        answer = writer.getresponse()
        answer.read()
        acknowledged = time.perf_counter()
        drain(selector, {watcher.fileno() for watcher in watchers})
        delays.append(time.perf_counter() - acknowledged)
    selector.close()
    for watcher in watchers:
        watcher.close()
    slowest = sorted(delays)
    return ["| subscribers | events/s | until the last has it, median | worst |", "|---:|---:|---:|---:|",
            f"| {SUBSCRIBERS} | {SUBSCRIBERS * WRITES / sum(delays):,.0f} | {statistics.median(slowest) * 1000:.1f} ms | "
            f"{slowest[-1] * 1000:.1f} ms |"]
