"""Writes under load, and afterwards the question whether everything that was acknowledged is there."""

import threading
import time

from testbed.cluster_bed import STORE
from testbed.forward import Unreachable

PAUSE = 0.02  # between two writes of one writer, and before the next one when no answer came


class Writers:
    """Each writes keys of its own, every key once, until stop(); for `with`."""

    def __init__(self, bed, target, count=4):
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._acknowledged, self._refused, self._open = {}, 0, 0
        self._last, self._longest = time.monotonic(), 0.0
        self._threads = [threading.Thread(target=self._write, args=(number, bed.forward(target)), daemon=True)
                         for number in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _write(self, writer, way):
        number = 0
        while not self._stop.wait(PAUSE):
            key, number = f"audit/{writer}/{number}", number + 1
            value = f"{key} was written".encode()
            try:
                status, _, _ = way.request("PUT", STORE + key, value)
            except Unreachable:
                with self._lock:
                    self._open += 1
                continue
            with self._lock:
                if status in (200, 201, 204):
                    self._acknowledged[key] = value
                    now = time.monotonic()
                    self._longest, self._last = max(self._longest, now - self._last), now
                else:
                    self._refused += 1

    @property
    def acknowledged(self):
        with self._lock:
            return len(self._acknowledged)

    def account(self):
        with self._lock:
            return (f"{len(self._acknowledged)} writes acknowledged, {self._refused} refused, {self._open} without an answer, "
                    f"longest time without an acknowledgement {self._longest:.1f} s")

    def check(self, way):
        """After the end: nothing acknowledged may be missing or another value."""
        lost = []
        for key, value in self._acknowledged.items():
            status, _, body = way.request("GET", STORE + key)
            if (status, body) != (200, value):
                lost.append(f"{key}: {status} {body[:60]}")
        assert not lost, f"{len(lost)} of {len(self._acknowledged)} acknowledged writes are lost: {lost[:5]}"
