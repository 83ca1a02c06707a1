"""One client of the audit: writes to keys of its own and keeps a log of what it asked for and what it was told.

Log lines are JSON. `{"ask": n, "key", "state"}` is written before write n is sent; `{"told": n, "outcome", "version"}` after
its answer, and fsynced: an acknowledgement that the log does not hold is one the client may not count on. A write that was
asked and not told is of unknown fate.
"""

import hashlib
import json
import os
import random
import threading

import connection
import history

KEYS = 48
BATCH = 6


def digest(value):
    return hashlib.sha256(value).hexdigest()[:20]


class AckLog:
    def __init__(self, path):
        self._file = open(path, "a+b", buffering=0)
        self._read_to = 0

    def ask(self, sequence, key, state):
        self._file.write(json.dumps({"ask": sequence, "key": key, "state": state}).encode() + b"\n")

    def tell(self, answers):
        lines = [{"told": sequence, "outcome": outcome, "version": version} for sequence, outcome, version in answers]
        self._file.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        os.fsync(self._file.fileno())

    def unread(self):
        self._file.seek(self._read_to)
        lines = self._file.read().splitlines()
        self._read_to = self._file.tell()
        return [json.loads(line) for line in lines]


class Writer:
    """Owns keys a<client>/0 .. a<client>/47 and their histories. write_until runs in a thread of its own; settle and the
    histories are used while it does not run."""

    def __init__(self, client, folder, seed, store):
        self.client = client
        self.keys = {f"a{client}/{number}": history.KeyHistory(f"a{client}/{number}") for number in range(KEYS)}
        self.acknowledged = self.refused = self.unknown = 0
        self.complaints = []  # answers that contradict what this client, the only writer of its keys, knows
        self._log = AckLog(os.path.join(folder, f"client-{client}.log"))
        self._random = random.Random(f"{seed}/{client}")
        self._store = store
        self._sequence = 0

    def write_until(self, stop, port, first_ack):
        """Writes until `stop` is set or the connection breaks."""
        known = {key: (next(iter(one.possible)), one.version) for key, one in self.keys.items() if one.certain}
        try:
            channel = connection.Connection(port)
        except OSError:
            return
        try:
            while not stop.is_set():
                if self._random.random() < 0.08:
                    self._batch(channel, known)
                else:
                    self._single(channel, known)
                first_ack.set()
        except connection.Broken:
            pass
        finally:
            channel.close()

    def _value(self):
        self._sequence += 1
        head = f"{self.client}:{self._sequence}:".encode()
        return head + self._random.randbytes(self._random.choice((8, 60, 60, 700))).hex().encode()

    def _single(self, channel, known):
        key = self._random.choice(list(known))
        state, version = known[key]
        value = self._value()
        target = f"/v1/stores/{self._store}/keys/{key}"
        headers, allowed = [], True
        method, new_state = "PUT", digest(value)
        kind = self._random.random()
        if kind < 0.18:
            method, new_state, value = "DELETE", history.ABSENT, b""
        if 0.09 < kind < 0.40 and version is not None and state is not history.ABSENT:
            allowed = self._random.random() < 0.75
            headers.append(("If-Match", f'"{version if allowed else version + 1}"'))
        elif 0.40 <= kind < 0.60:
            allowed = state is history.ABSENT
            headers.append(("If-None-Match", "*"))
        sequence = self._sequence
        self._log.ask(sequence, key, new_state)
        answer = channel.request(method, target, value, headers)
        outcome = self._outcome(answer.status)
        version = answer.version if outcome == history.OK and new_state is not history.ABSENT else None
        self._log.tell([(sequence, outcome, version)])
        if answer.status < 500 and (outcome == history.OK) != allowed:
            self.complaints.append(f"{method} {key} {headers}: {answer.status}, but its precondition "
                                   f"{'held' if allowed else 'did not hold'}")
        self._note(known, key, outcome, new_state, version)

    def _batch(self, channel, known):
        keys = self._random.sample(list(known), min(BATCH, len(known)))
        operations, asked = [], []
        for key in keys:
            value = self._value()
            operations.append({"op": "put", "key": key, "value": value.decode()})
            asked.append((self._sequence, key, digest(value)))
            self._log.ask(*asked[-1])
        body = json.dumps({"operations": operations}).encode()
        answer = channel.request("POST", f"/v1/stores/{self._store}/batch", body, [("Content-Type", "application/json")])
        if answer.status == 200:
            results = [(self._outcome(one["status"]), one.get("etag")) for one in json.loads(answer.body)["results"]]
        else:
            results = [(self._outcome(answer.status), None)] * len(asked)
        told = []
        for (sequence, key, state), (outcome, etag) in zip(asked, results):
            version = int(etag.strip('"')) if outcome == history.OK else None
            told.append((sequence, outcome, version))
            self._note(known, key, outcome, state, version)
        self._log.tell(told)

    @staticmethod
    def _outcome(status):
        if 200 <= status < 300:
            return history.OK
        # 503 and 507 are said before the backend has been touched; every other 5xx leaves the fate open.
        return history.FAILED if status < 500 or status in (503, 507) else history.UNKNOWN

    @staticmethod
    def _note(known, key, outcome, state, version):
        if outcome == history.OK:
            known[key] = (state, version)
        elif outcome == history.UNKNOWN:
            del known[key]  # left alone until a read has settled it

    def settle(self):
        """Brings the histories up to date from the log; returns violations."""
        violations, asked = [], {}
        for line in self._log.unread():
            if "ask" in line:
                asked[line["ask"]] = line
            else:
                ask = asked.pop(line["told"])
                violations += self._record(ask, line["outcome"], line["version"])
        for ask in asked.values():
            violations += self._record(ask, history.UNKNOWN, None)
        return violations

    def _record(self, ask, outcome, version):
        self.acknowledged += outcome == history.OK
        self.refused += outcome == history.FAILED
        self.unknown += outcome == history.UNKNOWN
        return self.keys[ask["key"]].record(ask["ask"], ask["state"], outcome, version)

    def check(self, port):
        """Reads every key of this client and judges what is there."""
        violations = []
        channel = connection.Connection(port)
        for key, one in self.keys.items():
            answer = channel.request("GET", f"/v1/stores/{self._store}/keys/{key}")
            if answer.status not in (200, 404):
                raise RuntimeError(f"GET {key}: {answer.status} {answer.body!r}")
            present = answer.status == 200
            state = digest(answer.body) if present else history.ABSENT
            violations += one.observe(state, answer.version if present else None)
        listed = self._list(channel)
        there = {key for key, one in self.keys.items() if one.possible != {history.ABSENT}}
        for key in sorted(listed ^ there):
            violations.append(history.Violation("listing", key, "read and listing disagree on whether it is there"))
        channel.close()
        return violations

    def _list(self, channel):
        target = f"/v1/stores/{self._store}/keys?prefix=a{self.client}/&values=false&limit=1000"
        page = json.loads(channel.request("GET", target).body)
        if not page["complete"]:
            raise RuntimeError("the listing of a client's keys does not fit one page")
        return {item["key"] for item in page["items"]}


def write_all(writers, stop, port, first_ack):
    """Starts every writer; the caller sets `stop` or kills the server, then joins."""
    threads = [threading.Thread(target=one.write_until, args=(stop, port, first_ack)) for one in writers]
    for thread in threads:
        thread.start()
    return threads
