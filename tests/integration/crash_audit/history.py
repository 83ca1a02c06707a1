"""What a store may hold, judged from what its clients were told.

Every key has one writer, which waits for each answer before its next write of that key. So after a crash a key holds what
the last acknowledged write left there, or what a write of unknown fate would have left. Pure: no clock, no network.
"""

import dataclasses

OK, FAILED, UNKNOWN = "ok", "failed", "unknown"
ABSENT = None  # the state of a key that is not there; otherwise a state is the digest of its value


@dataclasses.dataclass
class Violation:
    kind: str  # lost, failed-present, fate-changed, foreign, version
    key: str
    detail: str

    def __str__(self):
        return f"{self.kind}: {self.key}: {self.detail}"


class KeyHistory:
    def __init__(self, key):
        self.key = key
        self.possible = {ABSENT}  # states the key may be in
        self.settled = ABSENT  # the last state that was acknowledged or read
        self.highest_version = 0
        self.version = None  # of the entry that is there, where known
        self.past = {}  # earlier states -> the sequence number of the write that made them
        self.failed = {}  # states of writes that were refused -> sequence number
        self.rejected = set()  # states that a read after a crash ruled out

    @property
    def certain(self):
        return len(self.possible) == 1

    def record(self, sequence, state, outcome, version):
        """A write that would leave `state`; version is the ETag of an acknowledged one, None where it has none."""
        violations = []
        if outcome == FAILED:
            self.failed[state] = sequence
            return violations
        if outcome == UNKNOWN:
            self.possible = self.possible | {state}
            self.past.setdefault(state, sequence)
            return violations
        self.possible = {state}
        self.settled = state
        self.past[state] = sequence
        self.version = version
        if version is not None:
            if version <= self.highest_version:
                detail = f"write {sequence} was given version {version} after {self.highest_version}"
                violations.append(Violation("version", self.key, detail))
            self.highest_version = max(self.highest_version, version)
        return violations

    def observe(self, state, version):
        """What a read found; from then on the fate of earlier writes is fixed."""
        violations = []
        if state not in self.possible:
            violations.append(self._judge(state))
        elif state is not ABSENT:
            if self.certain and self.version is not None and version != self.version:
                detail = f"read as version {version}, acknowledged as {self.version}"
                violations.append(Violation("version", self.key, detail))
            elif version < self.highest_version:
                detail = f"read as version {version} after {self.highest_version}"
                violations.append(Violation("version", self.key, detail))
        self.rejected |= {other for other in self.possible if other is not ABSENT and other != state}
        self.possible = {state}
        self.settled = state
        self.version = version
        self.highest_version = max(self.highest_version, version or 0)
        return violations

    def _judge(self, state):
        expected = " or ".join(sorted("nothing" if one is ABSENT else one for one in self.possible))
        if state in self.rejected:
            return Violation("fate-changed", self.key, f"{state} was found absent before, and is there now")
        if state in self.failed and state is not ABSENT:
            return Violation("failed-present", self.key, f"refused write {self.failed[state]} is there")
        if state is ABSENT or state in self.past:
            found = "nothing" if state is ABSENT else f"the older write {self.past[state]}"
            return Violation("lost", self.key, f"expected {expected}, found {found}")
        return Violation("foreign", self.key, f"expected {expected}, found {state}, which nobody wrote")
