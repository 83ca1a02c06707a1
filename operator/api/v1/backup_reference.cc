// docs/storagebackup.md and docs/storagerestore.md.
#include <string>

#include "operator/api/v1/crd.h"
#include "operator/api/v1/reference_tables.h"
#include "operator/api/v1/storage_backup.h"
#include "operator/api/v1/storage_restore.h"

namespace holdfast::api {
namespace {

constexpr char kBackupIntroduction[] =
    R"(# StorageBackup

<!-- Made by `holdfast-operator crd StorageBackup --reference` from operator/api/v1/storage_backup_fields.cc; a test holds it equal. -->

A `StorageBackup` (short name `stb`, API group `storage.holdfast.dev/v1`) is one backup of one store of a
[StorageCluster](storagecluster.md), made, read again and compared by the cluster's service ([operations.md](operations.md#backups)).
The cluster has to say where backups are put (`spec.backups`). A database of the cluster's own with `postgres.backup` has backups of
another kind, on their own schedule ([operations.md](operations.md#backups-of-postgresql)).

```yaml
apiVersion: storage.holdfast.dev/v1
kind: StorageBackup
metadata: {name: main-before-upgrade}
spec:
  cluster: demo
  store: main
  drill: true
```

)";

constexpr char kBackupEpilogue[] =
    R"(
The API server does not compare two objects: that the cluster and the store are there, and that the cluster has a place for
backups, is said by the condition `Progressing` (`False` with the reason and the remedy), and looked at again until the deadline.

## What it does

1. It makes the backup's id from the name and the uid of the object and notes it (`id`, `startedAt`); then it asks the service for a
   backup of that id. Whatever happens, the operator's end included, it only ever asks for that one, and the service makes each
   id once: there are never two backups of one object.
2. It follows: `Running` while the service writes, `Verifying` while it reads the backup again and compares, and while it restores
   it beside the store with `drill`.
3. `Succeeded` it is when the service says that the backup is there, that all of it was verified, and with `drill` that it was
   restored and compared. What a run reports is not enough, nor that nothing was heard of a failure.
4. `Failed` it is when the service says why, and at the latest at the deadline. An object that is over is never begun again: make
   another one.

A pod of the service that ends while it writes leaves an unfinished backup, which the service neither lists nor restores. What is
left of it keeps its id for `backups.timeout` (1 h), so such a StorageBackup waits and fails at its deadline. After `Failed` with
`DeadlineExceeded` the service may still finish what it was at; `holdfast backup list` shows whether it did.

Deleting a StorageBackup deletes no backup. Of each store the service keeps what `spec.backups.retention` of the StorageCluster
says, by default the newest 7, always the newest verified one, and what these build on; with each further one the older ones go. What is
no longer there is told by `holdfast backup list`, not by the object, which remembers what was.

`storage.holdfast.dev/paused` as an annotation of it or of its cluster, with any value but `false`, keeps the operator from asking for
anything; the deadline passes all the same.

## By a schedule

`spec.backups.schedules` of the StorageCluster has the operator make a StorageBackup at each tick
([operations.md](operations.md#backups)). It is called after cluster, schedule and tick (`demo-nightly-20261123t0300z-9f86d081`,
in UTC), has the label `storage.holdfast.dev/backup-schedule` with the schedule's name and the annotation
`storage.holdfast.dev/scheduled-at` with the tick, and belongs to the StorageCluster: deleting that deletes the object, and never
the backup. Of those that are over, `successfulHistoryLimit` and `failedHistoryLimit` are kept.

## Limits

- With `service.tls.clientCA` the operator needs a certificate to prove itself with, in `service.tls.operatorSecretName`, and refuses
  without. With `auth.mode: ServiceAccount` it makes itself a token (Secret `<cluster>-backup-token`), which may
  administer the stores of that service: who may read that Secret can do so as well.
)";

constexpr char kRestoreIntroduction[] =
    R"(# StorageRestore

<!-- Made by `holdfast-operator crd StorageRestore --reference` from operator/api/v1/storage_restore_fields.cc; a test holds it equal. -->

A `StorageRestore` (short name `str`, API group `storage.holdfast.dev/v1`) makes one store of a [StorageCluster](storagecluster.md) what
one of its backups holds, or what it was at a time, in place and while it is in use, once. What was written since is gone then, but for
the checkpoint with it (`undo`). What the service does is in [operations.md](operations.md#backups).

```yaml
apiVersion: storage.holdfast.dev/v1
kind: StorageRestore
metadata: {name: main-back}
spec:
  cluster: demo
  store: main
  backup: main-before-upgrade          # or toTime: "2026-11-23T10:15:30.250Z"
```

)";

constexpr char kRestoreEpilogue[] =
    R"(
## What it does

1. It looks whether the backup is there and not damaged. If it is not, the restore has failed: it does not wait for a backup to
   come. Of a restore to a time the service looks, when it is told. While the cluster is missing, paused, or does not answer, it waits, until the deadline at most.
2. It notes that the service is about to be told (`startedAt`), and tells it, **once**. Nothing makes it tell the service a second
   time: no restart of the operator, no lost answer, no failure.
3. It follows the service's run, and says `Succeeded` only when that run says so. `undo` names the checkpoint to go back with:
   `holdfast checkpoint restore ID`.

## To a time

With `toTime` instead of a backup the store is made what it was then, by the newest backup of before and the changes since. It needs
`changeArchive` of the store in the StorageCluster, and a backup that was made with it:

```yaml
spec:
  backends: [{name: disk, embedded: {storage: {size: 10Gi}}}]
  stores: [{name: main, backend: disk, changeArchive: true}]
  backups: {claimName: backups, changeArchive: {interval: 1m}}
```

`holdfast backup list` shows as `restorable` from when to when that goes; a service that runs ships what there is first, so that there any time
up to now will do. The service refuses a time that cannot be had, and nothing was changed then: `Failed` has the reason `OutsideWindow`, and
its message the times that there are. A gap in the changes ends the restore with `RestoreFailed` before anything was changed. What a time
means, and how gaps come about, is in [operations.md](operations.md#restoring-to-a-time).

## When nobody knows

When the operator ended, or the answer was lost, while the service was told; when the pod of the service that restored has ended; or
when nothing was heard until the deadline, the restore may or may not have been done. `Failed` is `True` then with reason
`OutcomeUnknown`. Look what the store holds, and at `holdfast checkpoint list`: a checkpoint made by a restore after `startedAt` says that it
had begun, and has what the store held before. To restore again is always possible, with another StorageRestore.

Deleting a StorageRestore that runs does not stop the service.

## Into another cluster

A new StorageCluster says in `spec.backups.source` where the backups of a former one lie. A StorageRestore with `sourceStore` makes a
store of the new one what that store of the former one was; the two may have different names:

```yaml
apiVersion: storage.holdfast.dev/v1
kind: StorageCluster
metadata: {name: demo-2}
spec:
  backends: [{name: disk, embedded: {storage: {size: 10Gi}}}]
  stores: [{name: main, backend: disk}]
  backups:
    claimName: backups-2               # its own; without one it makes no backups
    source:
      claimName: backups               # the former one's, or s3
      encryptionKeySecretRef: {name: backup-key, key: key}
---
apiVersion: storage.holdfast.dev/v1
kind: StorageRestore
metadata: {name: take-over}
spec:
  cluster: demo-2
  store: main
  sourceStore: main                    # its name in the former one
  toTime: "2026-11-23T10:15:30.250Z"   # or backupId, or backup
```

```console
$ kubectl holdfast restore demo-2 --store main --source-store main --to-time 2026-11-23T10:15:30.250Z --wait
```

Nothing in the source is ever changed: a claim is mounted read-only, and the service makes, marks and removes nothing there, not in a bucket
either, whose keys need no more than to list it and to read objects. So the former cluster may go on meanwhile; when its retention removes the backup that is being
read, the restore fails with nothing changed. `holdfast backup list --source main` of the new cluster's service shows what there is, and `backup` may name a StorageBackup of
the former cluster in the same namespace. To a time it goes up to what the former cluster has shipped; the store that is restored needs no
`changeArchive` for that. Afterwards `source` can be taken out of the spec.

Never give two clusters the same place for their own backups while they have stores of the same name: each would remove by its retention
what the other one has made, and their changes do not fit into one change log.

## Limits

- To a time only stores with `changeArchive`, which those on embedded, memory and postgres backends may have. A PostgreSQL backend with
  `postgres.backup` can be restored to any time as a whole by `postgres.restoreFrom` of a new cluster.
- Those of [StorageBackup](storagebackup.md#limits).
)";

}  // namespace

std::string StorageBackupReference() {
  return kBackupIntroduction + FieldTables(StorageBackupFields()) + kBackupEpilogue;
}

std::string StorageRestoreReference() {
  return kRestoreIntroduction + FieldTables(StorageRestoreFields()) + kRestoreEpilogue;
}

}  // namespace holdfast::api
