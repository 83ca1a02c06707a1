"""Between an operator and its API server: counts the writes, can end the operator right after the n-th, and misbehaves as it
is told: answers are lost or made up, streams fall silent, nobody answers.

A write is any request that is not GET. Renewals of the leader's lease are counted apart: they are the heartbeat of an
operator, not its work.
"""

import contextlib
import http.server
import json
import socket
import socketserver
import threading
import urllib.parse

from testbed.api import Api

HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "host", "content-length", "te", "upgrade"}


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A peer that was killed leaves broken connections behind; that is what this proxy is for."""


class CountingProxy:
    def __init__(self, url, certificates=None):
        self._upstream = (url, certificates)
        self._lock = threading.Lock()
        self._writes = []
        self._lease_writes = 0
        self._kill_at = None
        self._kill = None
        self._cut = False
        self._silent = threading.Event()  # streams are read no more, and stay open
        self._interfere = None
        self._requests = 0
        self._clients = set()
        self._streams = set()  # the server's side of them
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                self.upstream = None
                proxy.entered(self.connection)

            def finish(self):
                proxy.left(self.connection)
                super().finish()

            def log_message(self, format, *args):  # pylint: disable=redefined-builtin
                pass

            def do_GET(self):
                proxy.forward(self)

            do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            self._end_streams()

    def _end_streams(self):
        """With the lock. Else the end of a client would show with the next event only, and the server has so many connections."""
        for one in self._streams:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def cut(self):
        """Ends every connection and lets no new one through, until mend()."""
        with self._lock:
            self._cut = True
            for client in self._clients:
                client.shutdown(socket.SHUT_RDWR)

    def mend(self):
        with self._lock:
            self._cut = False

    def interfere(self, rule):
        """rule(number of the write, from 1) says what becomes of it: None = as always; "lost" = carried out, and the connection
        breaks; (status, reason, headers) = answered so, and not carried out. None instead of a rule ends it."""
        with self._lock:
            self._requests = 0
            self._interfere = rule

    @property
    def attempts(self):
        """Writes, refused ones included, since interfere(); Events are none."""
        with self._lock:
            return self._requests

    def fall_silent(self):
        """Every watch that is open stays open, and not a byte comes any more. New ones are as always."""
        self._silent.set()
        self._silent = threading.Event()

    def _interference(self, method, path):
        if method == "GET" or "/leases" in path or "/events" in path:
            return None
        with self._lock:
            if self._interfere is None:
                return None
            self._requests += 1
            return self._interfere(self._requests)

    def entered(self, client):
        with self._lock:
            self._clients.add(client)
            if self._cut:
                client.shutdown(socket.SHUT_RDWR)

    def left(self, client):
        with self._lock:
            self._clients.discard(client)

    def kill_after(self, count, kill):
        """Calls kill() when the server has answered the count-th write from now, and passes that answer to nobody."""
        with self._lock:
            self._writes.clear()
            self._kill_at, self._kill = count, kill

    def forget(self):
        with self._lock:
            self._writes.clear()
            self._lease_writes = 0
            self._kill_at = self._kill = None

    @property
    def writes(self):
        """["PATCH /api/... 200", ...] since the last forget or kill_after."""
        with self._lock:
            return list(self._writes)

    @property
    def lease_writes(self):
        with self._lock:
            return self._lease_writes

    @property
    def killed(self):
        """Whether the kill that was asked for has happened."""
        with self._lock:
            return self._kill_at is not None and self._kill is None

    def _count(self, method, target, status):
        """Whether the operator has just been ended."""
        path = urllib.parse.urlsplit(target).path
        with self._lock:
            if "/leases" in path:
                self._lease_writes += 1
                return False
            self._writes.append(f"{method} {path} {status}")
            if self._kill is None or len(self._writes) != self._kill_at:
                return False
            self._kill()
            self._kill = None
            self._end_streams()
            return True

    @contextlib.contextmanager
    def _stream(self, upstream):
        with self._lock:
            self._streams.add(upstream)
        try:
            yield
        finally:
            with self._lock:
                self._streams.discard(upstream)

    def forward(self, request):
        if request.upstream is None:
            request.upstream = Api(*self._upstream).open()
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        interference = self._interference(request.command, request.path)
        if isinstance(interference, tuple):
            refuse(request, *interference)
            return
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        request.upstream.request(request.command, request.path, body or None, headers)
        answer = request.upstream.getresponse()
        streamed = answer.length is None
        content = b"" if streamed else answer.read()
        ended = request.command != "GET" and self._count(request.command, request.path, answer.status)
        if ended or interference == "lost":
            request.close_connection = True
            return
        silence = self._silent
        request.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                request.send_header(name, value)
        if streamed:
            request.send_header("Transfer-Encoding", "chunked")
            request.end_headers()
            with self._stream(request.upstream.sock):
                while data := answer.read1(1 << 16):
                    if silence.is_set():
                        continue  # the client takes it for dead some day, and its end is noticed by the next write
                    request.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                    request.wfile.flush()
            request.wfile.write(b"0\r\n\r\n")
        else:
            request.send_header("Content-Length", str(len(content)))
            request.end_headers()
            request.wfile.write(content)


def refuse(request, status, reason, headers=None):
    """As an API server refuses: with a Status object."""
    body = json.dumps({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": status,
                       "message": f"{reason} (made up by the proxy)"}).encode()
    request.send_response_only(status)
    for name, value in (headers or {}).items():
        request.send_header(name, value)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)
