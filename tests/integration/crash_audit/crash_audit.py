"""The audit: concurrent writers, the service killed with SIGKILL at a random moment, restarted, everything read back.

Asked of every round: no acknowledged write is lost, no refused write is there, a write of unknown fate is there or not and
stays so, versions only rise. With --power-cut, bytes that were not on disk at the kill are taken away before the restart.
With --expect-loss the audit must find a lost write: the positive control, for a store that does not wait for the disk.
"""

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time

import power_cut
import service
import writer


class Audit:
    def __init__(self, options, folder):
        self.options = options
        self.random = random.Random(options.seed)
        self.service = service.Service(options.binary, folder, options.durability, options.power_cut)
        self.writers = [writer.Writer(client, folder, options.seed, service.STORE) for client in range(options.writers)]
        self.violations = []
        self.restarts = []
        self.interrupted_starts = 0
        self.bytes_cut = 0

    def start(self):
        """Starts the service; now and then kills it while it recovers, and starts it again."""
        self.service.spawn()
        if self.random.random() < 0.1:
            self.interrupted_starts += 1
            time.sleep(self.random.uniform(0, 0.06))
            self.crash()
            self.service.spawn()
        self.restarts.append(self.service.wait_ready())

    def crash(self):
        self.service.kill()
        if self.options.power_cut:
            self.bytes_cut += power_cut.cut(self.service.data, self.service.journal)

    def round(self, number):
        self.start()
        self.check(number)
        stop, first_ack = threading.Event(), threading.Event()
        threads = writer.write_all(self.writers, stop, self.service.port, first_ack)
        if not first_ack.wait(60):
            raise RuntimeError(f"no write was answered within 60 s:\n{self.service.last_log()}")
        time.sleep(self.random.uniform(0, self.options.longest_load))
        self.crash()
        stop.set()
        for thread in threads:
            thread.join()
        for one in self.writers:
            self.violations += [f"round {number}: {violation}" for violation in one.settle()]

    def check(self, number):
        for one in self.writers:
            self.violations += [f"round {number}: {violation}" for violation in one.check(self.service.port)]
            self.violations += [f"round {number}: wrong answer: {complaint}" for complaint in one.complaints]
            one.complaints.clear()

    def count(self, kind):
        return sum(f" {kind}: " in violation for violation in self.violations)

    def run(self):
        for number in range(1, self.options.rounds + 1):
            self.round(number)
            if number % 20 == 0:
                print(f"{number}/{self.options.rounds} kills, {self.total('acknowledged')} writes acknowledged", flush=True)
            if self.violations:
                break
        self.start()
        self.check(self.options.rounds + 1)

    def total(self, field):
        return sum(getattr(one, field) for one in self.writers)

    def summary(self):
        how = "power cuts" if self.options.power_cut else "kills"
        return (f"{len(self.restarts) - 1} {how} under load and {self.interrupted_starts} during recovery, "
                f"durability {self.options.durability}, seed {self.options.seed}: "
                f"{self.total('acknowledged')} writes acknowledged, {self.total('refused')} refused, "
                f"{self.total('unknown')} of unknown fate; {self.count('lost')} lost, "
                f"{self.count('failed-present')} present though refused, {self.count('fate-changed')} changed fate, "
                f"{len(self.violations)} violations in all; "
                f"ready after {statistics.median(self.restarts):.2f} s (median), {max(self.restarts):.2f} s (longest)"
                + (f"; {self.bytes_cut} bytes cut" if self.options.power_cut else ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True, help="the holdfast binary")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--writers", type=int, default=6)
    parser.add_argument("--seed", default=os.environ.get("HOLDFAST_SEED", "1"))
    parser.add_argument("--durability", choices=("sync", "os"), default="sync")
    parser.add_argument("--longest-load", type=float, default=0.25, help="seconds of writing before a kill, at most")
    parser.add_argument("--power-cut", metavar="TRACKER", help="cut the power too; path of libunsynced_tracker.so")
    parser.add_argument("--expect-loss", action="store_true")
    options = parser.parse_args()
    options.binary = os.path.abspath(options.binary)

    with tempfile.TemporaryDirectory(prefix="holdfast-audit-") as folder:
        audit = Audit(options, folder)
        try:
            audit.run()
        finally:
            audit.service.kill()
        for violation in audit.violations[:20]:
            print(violation)
        print(audit.summary())
        if options.expect_loss:
            caught = audit.count("lost") > 0
            print("the loss was caught" if caught else "a loss was due, and the audit did not see it")
            return 0 if caught else 1
        return 1 if audit.violations else 0


if __name__ == "__main__":
    # A test runner's timeout: through the `finally` block, which ends the service.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
