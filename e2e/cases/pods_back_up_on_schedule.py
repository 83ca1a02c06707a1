"""A schedule of backups has one StorageBackup for each tick, also when all operators are killed in between; as many of these, and
of the backups, stay as the spec says; and none comes while it is suspended."""

import datetime
import json
import time

from cases.pods_back_up_and_restore import place
from cases.pods_outlive_the_killed_operator import kill_operators
from testbed.bed import cluster, condition
from testbed.cluster_bed import CONVERGE, put
from testbed.waiting import until

SERVERS = ("cluster",)
KEPT = 2
TICK = datetime.timedelta(minutes=1)
SCHEDULED_AT = "storage.holdfast.dev/scheduled-at"


def demo(suspend=False):
    schedule = {"name": "often", "store": "main", "schedule": "* * * * *", "suspend": suspend, "successfulHistoryLimit": KEPT,
                "failedHistoryLimit": 1, "deadline": "5m"}
    return cluster(backups={"claimName": "backups", "retention": {"keepLast": KEPT}, "schedules": [schedule]})


class Ticks:
    """All StorageBackups of the schedule that were ever seen, those that are gone too."""

    def __init__(self, bed):
        self._bed, self.names, self.succeeded, self.there, self.killed = bed, {}, set(), [], None

    def look(self):
        self.there = self._bed.items("storagebackups", "storage.holdfast.dev/backup-schedule=often")
        for backup in self.there:
            tick = datetime.datetime.fromisoformat(backup["metadata"]["annotations"][SCHEDULED_AT].replace("Z", "+00:00"))
            self.names.setdefault(tick, set()).add(backup["metadata"]["uid"])
            if backup.get("status", {}).get("phase") == "Succeeded":
                self.succeeded.add(tick)
        return self

    def check(self):
        """One each, and none is left out, of what no operator was there for but the last; tells how many."""
        twice = {str(tick): uids for tick, uids in self.names.items() if len(uids) != 1}
        assert not twice, f"ticks with more than one StorageBackup: {twice}"
        first = {min(self.names), min((tick for tick in self.names if self.killed and tick > self.killed), default=None)}
        missed = [str(tick) for tick in self.names if tick not in first and tick - TICK not in self.names]
        assert not missed, f"there is no StorageBackup for the tick before {missed}; seen: {sorted(map(str, self.names))}"
        return len(self.names)


def row(bed):
    return next(iter(bed.get("storagecluster", "demo")["status"].get("backupSchedules", [])), {})


def healthy(bed):
    return condition(bed.get("storagecluster", "demo"), "BackupHealthy").get("status") == "True"


def backups(way):
    status, _, body = way.request("GET", "/v1/stores/main/backups")
    assert status == 200, f"{status} {body[:300]}"
    return [one["id"] for one in json.loads(body)["items"]]


def run(bed):
    bed.install()
    bed.apply(place()[0])
    bed.apply(demo())
    bed.wait_ready()
    way = bed.forward("service/demo")
    put(way, "greeting", b"hello")
    ticks = Ticks(bed)
    until("two ticks have their backups", lambda: len(ticks.look().succeeded) >= 2, 2 * CONVERGE, pause=1)
    before = ticks.check()
    until("BackupHealthy", lambda: healthy(bed), CONVERGE)

    ticks.killed = datetime.datetime.now(datetime.timezone.utc)
    kill_operators(bed)
    until("two ticks behind the end of all operators have theirs", lambda: len(ticks.look().succeeded) >= before + 2, 3 * CONVERGE,
          pause=1)
    until("as many stay as the spec says",
          lambda: len([one for one in ticks.look().there if one.get("status", {}).get("phase") == "Succeeded"]) == KEPT, CONVERGE,
          pause=1)
    seen = ticks.check()
    until("BackupHealthy", lambda: healthy(bed), CONVERGE)
    kept = until("the service tells its backups", lambda: backups(way), CONVERGE)
    assert len(kept) in (KEPT, KEPT + 1), f"{kept} of {seen} backups are kept"  # one more while the next is made

    bed.apply(demo(suspend=True))
    until("it is suspended", lambda: row(bed).get("suspended"), CONVERGE)
    until("none is under way", lambda: not row(bed).get("active"), CONVERGE)
    last, since = ticks.look().check(), time.monotonic()
    ticks_of_rest = 2.2 * TICK.total_seconds()
    until("two ticks have passed", lambda: time.monotonic() - since > ticks_of_rest, 2 * ticks_of_rest, pause=1)
    assert ticks.look().check() == last, f"a suspended schedule has gone on: {ticks.names}"
    return f"{last} ticks, one StorageBackup each, {before} before the operators were killed; {len(kept)} backups kept"
