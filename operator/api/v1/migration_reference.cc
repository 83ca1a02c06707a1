#include <string>

#include "operator/api/v1/crd.h"
#include "operator/api/v1/reference_tables.h"
#include "operator/api/v1/storage_migration.h"

namespace holdfast::api {
namespace {

constexpr char kIntroduction[] =
    R"(# StorageMigration

<!-- Made by `holdfast-operator crd StorageMigration --reference` from operator/api/v1/storage_migration_fields.cc; a test holds it equal. -->

A `StorageMigration` (short name `stm`, API group `storage.holdfast.dev/v1`) moves one store of a
[StorageCluster](storagecluster.md) to another of its backends, while it is read and written. It is done once; what it does to
the data, phase by phase, is in [store-migration.md](store-migration.md).

```yaml
apiVersion: storage.holdfast.dev/v1
kind: StorageMigration
metadata: {name: main-to-db}
spec:
  cluster: demo
  store: main
  to: db
  cutOver: Manual
```

)";

constexpr char kEpilogue[] =
    R"(
The API server does not compare two objects: that the cluster, the store and the backend are there, and that the store can be
moved, is said by the condition `Progressing` (`False` with reason `InvalidReference` and the remedy), and looked at again when
the cluster changes.

## What it does

1. It writes the target into `status.moves` of the StorageCluster. The service's configuration gets `migrate_to`, and its pods
   are made anew, as with every change of it: one after the other, but a cluster with an embedded backend has only one.
2. When every pod has it, and the service counts as many instances as there are pods, it notes the service's last migration
   (`formerId`) and starts. Whatever happens then, the operator's end included, it is not started a second time: a migration
   that is not the one noted is this one.
3. It follows: `total`, `copied`, `compared`, `differences`. Behind the comparison it switches reads, and cuts over as
   `spec.cutOver` says.
4. After the cut-over the store is in `to` for good. `status.moves` of the cluster remembers it, and the pods are made anew with
   `to` as the store's backend.

## Afterwards

The StorageCluster's spec still names the former backend. Its condition `StoresAsSpecified` is `False` (`StoreMoved`) and says
what to write into `spec.stores[].backend`; that edit changes no pod. Until then, and when an old manifest is applied again
later, the former name means the new place, for as long as the former backend is in `spec.backends`: the operator never puts
a store back to what was left behind. To have it there again, make a StorageMigration back. What the former backend holds
stays untouched and is yours to remove, with the backend, once no store names it.

The StorageMigration may be deleted at any time. Before the cut-over that aborts it; after it nothing happens to the data.

## Undo

`spec.abort: true`, deleting the object and the deadline all abort it: what was copied is removed, the store goes on in its
former backend, in which everything is, and `Failed` says why. Once the service has cut over there is no way back, and
`Complete` says so. While the service does not answer nothing can be aborted; past the deadline `Failed` is `True` all the same
and says that the rest is still to be done.

`storage.holdfast.dev/paused` as an annotation, with any value but `false`, keeps the operator from taking the next step; what
the service does by itself (copying, comparing) goes on. Deletion is not held up by it, and neither is the deadline.

## Limits

- The store is of one `backend`, without `tiered` or `failover`. Source and target belong to it alone.
- Neither backend is `memory`, whose entries would be gone with the restart of the pods.
- From `postgres` or `redis` only to `postgres` or `redis`. A Redis Cluster as the target needs transactions over any two keys,
  which the service looks at: the start is refused then.
- The target must have no entries of a store of that name.
- With `service.tls.clientCA` the operator needs a certificate to prove itself with, in `service.tls.operatorSecretName`, and refuses
  without. With `auth.mode: ServiceAccount` it makes itself a token (Secret `<name>-caller`), which may do
  nothing but administer that store, and which ends with the migration.
- Two migrations of one store do not run at the same time; the second waits for the first.
)";

}  // namespace

std::string StorageMigrationReference() {
  return kIntroduction + FieldTables(StorageMigrationFields()) + kEpilogue;
}

}  // namespace holdfast::api
