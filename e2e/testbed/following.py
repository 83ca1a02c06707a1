"""Keeps something of the node as the API has it."""

import http.client
import threading

from testbed.api import ApiError

PAUSE = 0.3  # seconds that the node may be behind the API


def follow(found, tell):
    """tell(text) for every new text of found(), until the process ends. A read of the API that fails leaves everything as it was,
    and is tried again."""
    def run():
        told, pause = None, threading.Event()
        while not pause.wait(PAUSE):
            try:
                text = found()
            except (ApiError, OSError, http.client.HTTPException):
                continue
            if text != told:
                tell(text)
                told = text

    threading.Thread(target=run, daemon=True).start()
