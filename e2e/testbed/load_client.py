"""Runs in a pod of the cluster, with nothing but Python's own library: clients that write and read by way of the Service and try
again, on another connection, what got no answer or one that says so. A GET tells what became of it so far, a POST ends
it, asks for everything that was acknowledged, and tells."""

import http.client
import http.server
import json
import socket
import sys
import threading
import time

SERVER, CLIENTS, PORT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
STORE = "/v1/stores/_default/keys/"
PAUSE = 0.05  # between two requests of one client
TIMEOUT = 10  # of one try
TRIES = 100  # with the pauses of BACK_OFF more than three minutes
BACK_OFF, LONGEST_BACK_OFF = 0.1, 2.0
AGAIN = (429, 502, 503, 504)  # what docs/errors.md calls retryable, of answers to a PUT or a GET of one key


class Account:
    def __init__(self):
        self._lock = threading.Lock()
        self._last = time.monotonic()
        self.acknowledged, self.requests, self.again, self.failed = {}, 0, {}, []
        self.wrong = {}  # by key: when it was acknowledged, and what was found
        self.tries, self.longest = 1, 0.0

    def begin(self):
        with self._lock:
            self.requests += 1

    def try_again(self, why):
        with self._lock:
            self.again[why] = self.again.get(why, 0) + 1

    def done(self, tries):
        with self._lock:
            self.tries = max(self.tries, tries)
            now = time.monotonic()
            self.longest, self._last = max(self.longest, now - self._last), now

    def give_up(self, what):
        with self._lock:
            self.failed.append(what)

    def written(self, key, value):
        with self._lock:
            self.acknowledged[key] = (value, time.monotonic())

    def read(self, key, found):
        """What was acknowledged has to be there."""
        with self._lock:
            value, at = self.acknowledged[key]
            if found != (200, value.encode()):
                self.wrong[key] = (at, found[0], f"{key}: {found[0]} {found[1][:60]!r}")

    def tell(self):
        with self._lock:
            return {"acknowledged": len(self.acknowledged), "requests": self.requests, "again": self.again, "tries": self.tries,
                    "failed": len(self.failed), "first_failed": self.failed[:5], "wrong": sorted(self.wrong.values()),
                    "longest": self.longest, "now": time.monotonic()}


class Client:
    def __init__(self, account):
        self._account, self._connection = account, None

    def ask(self, method, key, body=None):
        """(status, body), or None when no try had an answer that is final."""
        why = ""
        self._account.begin()
        for number in range(TRIES):
            if number:
                time.sleep(min(BACK_OFF * 2 ** (number - 1), LONGEST_BACK_OFF))
            try:
                if self._connection is None:
                    self._connection = http.client.HTTPConnection(SERVER, timeout=TIMEOUT)
                self._connection.request(method, STORE + key, body)
                answer = self._connection.getresponse()
                found = (answer.status, answer.read())
                if found[0] not in AGAIN:
                    self._account.done(number + 1)
                    return found
                why = f"{found[0]} {json.loads(found[1]).get('code', '')}"
            except (http.client.HTTPException, OSError) as error:
                why = type(error).__name__ + (f" {error.errno}" if getattr(error, "errno", None) else "")
            except ValueError:
                why = "an answer that is not JSON"
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            self._account.try_again(why)
        self._account.give_up(f"{method} {key}: {TRIES} tries, the last one: {why}")
        return None


def write(account, stop, name):
    client, number = Client(account), 0
    while not stop.wait(PAUSE):
        key, number = f"{socket.gethostname()}/{name}/{number}", number + 1
        value = f"{key} was written"
        answer = client.ask("PUT", key, value)
        if answer is None:
            continue
        if answer[0] not in (200, 201, 204):
            account.give_up(f"PUT {key}: {answer[0]} {answer[1][:200]!r}")
            continue
        account.written(key, value)
        found = client.ask("GET", key)
        if found:
            account.read(key, found)


def check(account, keys):
    client = Client(account)
    for key in keys:
        found = client.ask("GET", key)
        if found:
            account.read(key, found)


def together(target, many):
    threads = [threading.Thread(target=target, args=one, daemon=True) for one in many]
    for thread in threads:
        thread.start()
    return threads


def main():
    account, stop = Account(), threading.Event()
    writers = together(write, [(account, stop, name) for name in range(CLIENTS)])

    class Door(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):  # pylint: disable=arguments-differ
            """Nothing."""

        def do_GET(self):
            self._answer(account.tell())

        def do_POST(self):
            stop.set()
            for thread in writers:
                thread.join()
            keys = list(account.acknowledged)
            for thread in together(check, [(account, keys[first::CLIENTS]) for first in range(CLIENTS)]):
                thread.join()
            self._answer(account.tell())

        def _answer(self, content):
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    http.server.ThreadingHTTPServer(("", PORT), Door).serve_forever()


main()
