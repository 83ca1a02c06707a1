"""Waiting for a condition with a deadline, instead of for a time."""

import time


class TimedOut(AssertionError):
    pass


def until(what, condition, deadline=60.0, pause=0.1):
    """The first true value of condition(); `what` says in the failure what did not come. AssertionErrors of the condition
    count as not yet, and the last one is told."""
    started = time.monotonic()
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
        except AssertionError as error:
            last = error
        if time.monotonic() - started > deadline:
            raise TimedOut(f"not within {deadline:.0f} s: {what}" + (f"; last: {last}" if last else ""))
        time.sleep(pause)
