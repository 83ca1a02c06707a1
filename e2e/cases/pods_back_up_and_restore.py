"""An embedded StorageCluster is backed up onto a claim, drilled, encrypted. What is changed and deleted then comes back from the
backup, with another pod, and from the change log exactly as it was at a time; a service that is killed while it writes a backup
never makes a success of it."""

import datetime
import json
import secrets

from cases.pods_crash_under_load import crash
from testbed.api import Api
from testbed.bed import cluster, condition
from testbed.cluster_bed import CONVERGE, STORE, entries, put
from testbed.waiting import until

SERVERS = ("cluster",)
OWN_NODE = True  # somebody has to send the signal
ENTRIES = 200
# Three objects of a backup (backups.object_bytes), however well it is compressed.
LARGE, LARGE_BYTES = 192, 1 << 20
MOST_CUTS = 4  # until one was written and not whole
# A backup that was cut off is over by then; one that is let be is done long before.
DEADLINE = "90s"


def demo():
    return cluster(stores=[{"name": "main", "backend": "local", "changeArchive": True}],
                   backups={"claimName": "backups", "encryptionKeySecretRef": {"name": "backup-key", "key": "key"},
                            "changeArchive": {"interval": "1s"}})


def place():
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "backups"},
             "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    key = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "backup-key"}, "stringData": {"key": secrets.token_hex(32)}}
    return claim, key


def one(kind, name, **spec):
    return {"apiVersion": "storage.holdfast.dev/v1", "kind": kind, "metadata": {"name": name},
            "spec": {"cluster": "demo", "store": "main"} | spec}


def over(bed, kind, name):
    """Its status, once it is Complete or Failed, and never both."""
    status = bed.get(kind, name).get("status", {})
    told = {what: condition({"status": status}, what).get("status") for what in ("Complete", "Failed")}
    assert "True" in told.values(), status.get("message")
    assert told["Complete"] != told["Failed"] and (status["phase"] == "Succeeded") == (told["Complete"] == "True"), status
    return status


def ended(bed, kind, name):
    return until(f"{kind} {name} is over", lambda: over(bed, kind, name), 2 * CONVERGE, pause=0.5)


def restore(bed, name, **source):
    bed.apply(one("StorageRestore", name, **source))
    return ended(bed, "storagerestore", name)


def served(way):
    """What the store holds: of a pod that may have to be found anew, by a connection that may have been idle for too long."""
    return until("the service answers", lambda: entries(way), CONVERGE)


def same(found, wanted):
    wrong = sorted(key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key))
    assert not wrong, f"{len(wrong)} of {len(wanted)} entries are missing, wrong or too many: {wrong[:5]}"


def write(way, wanted, key, value):
    put(way, key, value.encode())
    wanted[key] = value


def delete(way, wanted, key):
    status, _, body = way.request("DELETE", STORE + key)
    assert status in (200, 204), f"DELETE {key}: {status} {body[:300]}"
    wanted.pop(key)


def change(way, wanted, what):
    """Of what is there a third is deleted and a third overwritten, and as much is new."""
    same(served(way), wanted)
    for number, key in enumerate(sorted(wanted)):
        if number % 3 == 0:
            delete(way, wanted, key)
            write(way, wanted, f"{what}-{number}", what)
        elif number % 3 == 1:
            write(way, wanted, key, f"{key} {what}")


def by_hand(bed, *arguments):
    status, output, errors = bed.holdfast(*arguments, "--wait", timeout=2 * CONVERGE)
    assert status == 0, f"kubectl holdfast {arguments}: {output}{errors}"
    return output


def another_pod(bed):
    former = bed.get("pod", "demo-0")["metadata"]["uid"]
    bed.kubectl("delete", "pod", "demo-0")
    until("there is another pod", lambda: (bed.get("pod", "demo-0") or {"metadata": {"uid": former}})["metadata"]["uid"] != former,
          CONVERGE)
    bed.wait_ready()


def from_a_backup(bed, way, wanted):
    by_hand(bed, "backup", "demo", "--store", "main", "--name", "first", "--drill")
    first = over(bed, "storagebackup", "first")
    assert first["entries"] == len(wanted) and "verifiedAt" in first and "drilledAt" in first, first
    backed_up = dict(wanted)
    change(way, wanted, "changed")
    another_pod(bed)
    by_hand(bed, "restore", "demo", "--store", "main", "--name", "first-back", "--backup", "first")
    same(served(way), backed_up)
    told = over(bed, "storagerestore", "first-back")
    return backed_up, f"{told['restored']} entries restored ({told['written']} written, {told['deleted']} deleted)"


def to_a_time(bed, way, wanted):
    change(way, wanted, "before")
    time = datetime.datetime.now(datetime.timezone.utc)
    then = dict(wanted)
    change(way, wanted, "after")
    told = restore(bed, "to-time", toTime=time.isoformat().replace("+00:00", "Z"))
    assert told["phase"] == "Succeeded", told
    same(served(way), then)
    return then, f"to a time {told['restored']} ({told['written']} written, {told['deleted']} deleted)"


def listed(way, identity):
    status, _, body = way.request("GET", f"/v1/stores/main/backups/{identity}")
    return json.loads(body) if status == 200 else None


def some_is_written(bed, api, way, name):
    """Whether there is an object of the backup, and perhaps its manifest."""
    run_id = (api.get("storagebackups", bed.namespace, name) or {}).get("status", {}).get("run")
    status, _, body = way.request("GET", f"/v1/stores/main/backup-runs/{run_id}") if run_id else (0, None, "")
    return status == 200 and (json.loads(body).get("bytes") or json.loads(body)["state"] not in ("waiting", "running"))


def cut_off(bed, way, name):
    """A backup whose service ends by SIGKILL while it is written; its status at the end."""
    api = Api(bed.cluster.url, bed.cluster.certificates)
    bed.apply(one("StorageBackup", name, deadline=DEADLINE))
    until("the service has written some of it", lambda: some_is_written(bed, api, way, name), CONVERGE, pause=0.02)
    crash(bed, "demo-0", "service")
    status = ended(bed, "storagebackup", name)
    served(way)
    found = listed(way, status["id"])
    if status["phase"] == "Succeeded":
        assert found and found["verified"], f"a success without a backup: {status} {found}"
    return status


def killed_while_it_writes(bed, way, wanted):
    for number in range(LARGE):
        write(way, wanted, f"large-{number}", secrets.token_urlsafe(LARGE_BYTES * 3 // 4))
    for number in range(MOST_CUTS):
        status = cut_off(bed, way, f"cut-{number}")
        same(served(way), wanted)
        if status["phase"] == "Failed":
            break
    assert status["phase"] == "Failed", f"none of {MOST_CUTS} backups was cut off while it was written: {status}"
    assert not listed(way, status["id"]), status
    refused = restore(bed, "cut-back", backup=f"cut-{number}")
    assert (refused["phase"], condition({"status": refused}, "Failed")["reason"]) == ("Failed", "NoBackup"), refused
    same(served(way), wanted)

    bed.apply(one("StorageBackup", "last"))
    last = ended(bed, "storagebackup", "last")
    assert last["phase"] == "Succeeded" and last["entries"] == len(wanted), last
    then = dict(wanted)
    change(way, wanted, "lost")
    told = restore(bed, "last-back", backup="last")
    assert told["phase"] == "Succeeded", told
    same(served(way), then)
    why = condition({"status": status}, "Failed")["reason"]
    return f"cut off: {why} (try {number + 1} of {MOST_CUTS}); the next one has {last['bytes'] / 1e6:.0f} MB"


def run(bed):
    bed.install()
    for part in place():
        bed.apply(part)
    bed.apply(demo())
    bed.wait_ready()
    way = bed.forward("service/demo")
    wanted = {}
    for number in range(ENTRIES):
        write(way, wanted, f"first-{number}", f"value {number}")
    wanted, restored = from_a_backup(bed, way, wanted)
    wanted, to_time = to_a_time(bed, way, wanted)
    cut = killed_while_it_writes(bed, way, wanted)
    return f"{restored}; {to_time}; {cut}"
