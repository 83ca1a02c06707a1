"""A small HTTP/1.1 client on a bare socket: one connection, one request at a time, no retries of its own.

The standard library's client is too slow to keep a server under pressure from the same two cores, and hides whether a
request was sent.
"""

import socket


class Broken(Exception):
    """The connection ended before a whole answer came: the fate of the request is unknown once it was sent."""


class Answer:
    __slots__ = ("status", "headers", "body")

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def version(self):
        etag = self.headers.get("etag")
        return int(etag.strip('"')) if etag else None


class Connection:
    def __init__(self, port, timeout=10.0):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def close(self):
        self._socket.close()

    def request(self, method, target, body=b"", headers=()):
        lines = [f"{method} {target} HTTP/1.1", "Host: audit"]
        lines += [f"{name}: {value}" for name, value in headers]
        if body or method in ("PUT", "POST"):
            lines.append(f"Content-Length: {len(body)}")
        try:
            self._socket.sendall("\r\n".join([*lines, "", ""]).encode() + body)
            return self._read(method)
        except (OSError, ValueError) as error:
            raise Broken(str(error)) from error

    def _more(self):
        data = self._socket.recv(1 << 18)
        if not data:
            raise Broken("closed by the server")
        self._buffer += data

    def _read(self, method):
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            self._more()
        head = self._buffer[:end].decode("latin-1").split("\r\n")
        headers = {}
        for line in head[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        status = int(head[0].split(" ", 2)[1])
        length = 0 if method == "HEAD" or status in (204, 304) else int(headers["content-length"])
        total = end + 4 + length
        while len(self._buffer) < total:
            self._more()
        body, self._buffer = self._buffer[end + 4:total], self._buffer[total:]
        return Answer(status, headers, body)
