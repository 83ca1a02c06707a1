#include <string>

#include "operator/api/v1/crd.h"
#include "operator/api/v1/reference_tables.h"
#include "operator/api/v1/storage_cluster_fields.h"

namespace holdfast::api {
namespace {

constexpr char kIntroduction[] =
    R"(# StorageCluster

<!-- Made by `holdfast-operator crd --reference` from operator/api/v1/storage_cluster_fields.cc; a test holds it equal. -->

A `StorageCluster` (short name `stc`, API group `storage.holdfast.dev/v1`) declares the backends an application keeps its
state in, the stores the API serves from them, and what becomes of the data when the resource is deleted.

```yaml
apiVersion: storage.holdfast.dev/v1
kind: StorageCluster
metadata: {name: demo}
spec:
  backends:
    - name: local
      embedded: {storage: {size: 1Gi}, compression: zstd}
  stores:
    - {name: main, backend: local}
  defaultStore: main
  terminationPolicy: Retain
```

With PostgreSQL, nothing else is needed for a database with three servers, its schema and the service in front of it:

```yaml
spec:
  backends:
    - {name: db, postgres: {storage: {size: 20Gi}}}
  stores:
    - {name: main, backend: db}
  service: {replicas: 2}
```

`holdfast-operator plan -f file.yaml` checks a manifest without a cluster and prints every object it leads to. The API
server checks the same rules; where a field or a rule is named here, both refuse what breaks it.

)";

constexpr char kEpilogue[] =
    R"(
## What it makes

For a cluster `demo`: ServiceAccount `demo` (without rights, no token mounted), ConfigMap `demo-config` (the service's
configuration), Service `demo` (ports 8080 `data` and 9090 `admin`), headless Service `demo-headless`, StatefulSet `demo`,
PodDisruptionBudget `demo`, and with an embedded backend PersistentVolumeClaim `data-demo-0`; each embedded backend `a` that is
a replica of a store has a claim of its own, `replica-a-demo-0`. All but the claims are owned by the cluster. An object of one of these names that somebody else made is never taken over: `Ready` becomes `False` with
reason `ObjectConflict` and the message says which object is in the way.

A postgres backend `db` adds, each object named `demo-db` unless the table says otherwise:

| Object | What it is |
|---|---|
| StatefulSet, ServiceAccount, Role, RoleBinding | the servers under Patroni, and what Patroni may do: keep its state in ConfigMaps (`demo-db-leader`, `-config`, `-sync`, `-failover`, which it makes itself) and label its pods |
| Services `demo-db-primary`, `demo-db-replicas`, `demo-db-pods` | the server that takes writes, the others, and each by name |
| Deployment and Service `demo-db-pooler` | PgBouncer, unless `pooler.instances` is 0 |
| Secret `demo-db-credentials` | the passwords of the superuser, replication, pg_rewind and the service, two of each, that take turns ([below](#new-passwords)): 256 bit each, mounted as files; and what is made of them for PgBouncer, Patroni and psql |
| Secrets `demo-ca`, `demo-db-tls` | a certificate authority of the cluster's own, and the certificate of its servers |
| ConfigMap `demo-db-settings` | the configuration, without passwords: Patroni and PgBouncer follow those in the mounted Secret |
| Job `demo-db-migrate-...` | brings the schema to what the service's image needs; named after both |
| NetworkPolicies, PodDisruptionBudgets | only pods of the cluster, and the operator, reach the servers; one is taken away at a time |
| PersistentVolumeClaims `pgdata-demo-db-0` ... | one for each server |

The service is a Deployment then (with a HorizontalPodAutoscaler if `service.autoscaling` is given), and a StatefulSet when a
backend keeps data in its pods.

Connections between all of these are TLS with that authority, which clients verify with the server's name. Certificates
live a year and are renewed 60 days before they end; the authority lives ten years, and the next one is trusted a day
before it signs. A renewed certificate restarts the pods that mount it, one after the other.

A change of `parameters`, `synchronous` or `failover.maxLagBytes` reaches running servers through Patroni, which reloads them;
for the parameters a server takes only at its start, as for a new image, other resources or a renewed certificate, the pods
are made anew, one at a time: replicas first, each waited for until it streams and the synchronous standbys hold every
acknowledged write again, then a planned switchover to one of them, and the former primary last. A single server is simply
replaced. `Progressing` and `status.failover[].rollout` say how far it is.

The credentials carry no owner: like the claims they stay when the cluster is deleted with `Retain`, and a new cluster of
the name takes both over. A claim without its credentials blocks with `CredentialsMissing` instead of getting new ones:
the database knows only the old.

A redis backend `cache` adds, each object named `demo-cache` unless the table says otherwise:

| Object | What it is |
|---|---|
| StatefulSet | the server: Redis 7 with TLS only, which writes an append-only file unless told otherwise |
| Services `demo-cache-primary`, `demo-cache-pods` | the server, and each by name |
| Secret `demo-cache-credentials` | the passwords (256 bit) of the service and of `keeper`, who keeps the server's users what the Secret says, and the file of users, which has their hashes; each mounted where it is needed |
| Secrets `demo-ca`, `demo-cache-tls` | the certificate authority of the cluster, and the certificate of the server |
| ConfigMap `demo-cache-settings` | redis.conf and the probe, without anything secret |
| NetworkPolicy, PodDisruptionBudget | only pods of the cluster reach the server |
| PersistentVolumeClaim `redisdata-demo-cache-0` | its data |

The service's user may do everything but administer, on keys that begin with `holdfast:`; the user `probe`, who needs no
password, may ask `PING`, which is all that the probes do. A change of the configuration or of the certificate makes the pod
anew, for which the backend is away as long as the server reads its data: the service answers `503` meanwhile. The credentials
are followed without a restart ([below](#new-passwords)). They go with the cluster, and lost ones are made anew. What Redis can promise, and
what not, is in [formats/redis.md](formats/redis.md).

Three such servers or more, by themselves and with `persistence: {fsync: always}`, can keep the locks of a store between them
(`stores[].lockBackends`): a majority grants, so that the loss of one loses no lock, nor does a failover of the store's own
backend. The scheduler keeps their pods on different nodes and zones where it can
([operations.md](operations.md#locks-on-several-redis-servers), `crds/samples/redis_locks.yaml`).

With `mode: Sentinel` there are `instances` servers, one of which is the master, and an odd number of sentinels:

| Object | What it is |
|---|---|
| StatefulSets `demo-cache`, `demo-cache-sentinel` | the servers, and the sentinels |
| Services `demo-cache-0`, `demo-cache-sentinel-0` and on | each server and sentinel, by an address that stays when its pod goes |
| Service `demo-cache-sentinel` | any sentinel that is ready, for whoever looks for the master `main` |
| Services `demo-cache-pods`, `demo-cache-sentinel-pods` | the pods, as the StatefulSets need them |
| Secret `demo-cache-credentials` | also the passwords of replication and sentinels, and whether there has been a master: `initialized` |
| NetworkPolicies, PodDisruptionBudgets | of the servers and of the sentinels |
| PersistentVolumeClaims `redisdata-demo-cache-0`, `sentineldata-demo-cache-sentinel-0` and on | the data; and what a sentinel knows, 64Mi each |

A server starts as the master only when most sentinels name
it and its volume holds data that was the master's or in step with it; otherwise it joins the master they name, or waits and
says in its log for what. So a server that comes back with an empty volume takes nobody's data away: one that was in step takes
over. Only the server of a new cluster that the sentinels name first begins without data, and the service is told of the
backend when that was noted. A replica can be elected from when it listens: once it is in step, or at once after a restart when
it was in step no longer than ten times `sentinel.downAfterMilliseconds` before the master went down.

A master that is ended in order (a rolling change, a drained node, a deleted pod) refuses writes for a moment, waits until
the replicas have everything, and has the sentinels make one the master, so that nothing acknowledged is lost; the
service answers `503` meanwhile. One that is killed is noticed after `sentinel.downAfterMilliseconds`, or at once when its
container has ended and its replicas are in step: then the operator tells a sentinel (`FailoverHastened`; not with
`spec.failover.mode: Manual`). A change of the servers' pods replaces the replicas one at a time, each when the one before is in
step, and the master last; `status.failover[].rollout` says how far it is. `instances` can grow and shrink:
those with the highest numbers go, after a master among them has handed over, and the sentinels forget them
(`status.failover[].scaling`, [operations.md](operations.md#redis-with-sentinels)); their volumes stay. `sentinel.replicas`
cannot change.

With `mode: Cluster` there are `shards` masters, each with `replicasPerShard` replicas, which share the keys by Redis'
slots: a Redis Cluster of `shards * (1 + replicasPerShard)` servers.

| Object | What it is |
|---|---|
| StatefulSet `demo-cache` | the servers; those next to each other begin as one shard |
| Service `demo-cache` | any server that is ready, for whoever looks for the others |
| Service `demo-cache-pods` | each server by name, `demo-cache-0.demo-cache-pods`, which is what clients are sent to |
| Secret `demo-cache-credentials` | also the passwords of replication and of `keeper` (the operator, and the first process of a pod), and whether the slots were given: `initialized` |
| NetworkPolicy, PodDisruptionBudget | the bus, port 16379, is for the servers only; one server at a time may be taken away |
| PersistentVolumeClaims `redisdata-demo-cache-0` and on | the data, and `nodes.conf`, which says who has which slots |

The operator puts the servers together: it introduces them, gives each first server of a shard an equal part of the slots, and
has the others follow. It does so from what the servers say, so that whoever is stopped between two steps is followed by
another. Servers get slots without data only before `initialized` says `yes`; the service is told of the backend after that.
Redis replaces a master by a replica that was in step when most masters have not heard of it for
`cluster.nodeTimeoutMilliseconds`. A server that comes back with an empty volume is a new one: it follows whoever has its
shard's data by then, and its former self is forgotten. A server at a new address is met again. A master that is ended in
order has a replica take over first, which loses nothing (`CLUSTER FAILOVER`); so does a change of the configuration, which
restarts the servers one at a time, each when the one before is in step. `status.redis[].shards` says who has which slots; a
shard of which nobody can take over is `ShardLost`, and the others go on. 
When `shards` grows, the operator adds the servers and moves slots to them, with their keys and under load, until every shard has
an equal part: `status.redis[].slotsToMove` says how many are left, events tell of the beginning and the end (`SlotsMoving`,
`SlotsMoved`), and `message` says what is waited for while nothing moves: every server has to answer, every slot to have a
master, and a new master to have a replica in step. Where it is stands on the servers, so that it is gone on with after any
interruption. While the keys of one slot are between two servers, the stores' calls for it wait.
`cluster.slotsAtOnce`, `keysAtOnce` and `movePauseMilliseconds` say how fast that goes: while keys go over, both servers do
nothing else.
When `shards` becomes less, the servers with the highest numbers go, down to three shards. Their slots move to the others first,
as above; when those that stay have all slots and are in step, they forget the others (`CLUSTER FORGET`); only then the pods end
(`ServersLetGo`), and their volumes stay. `message` says what is waited for. Asked for again they come back as a new shard.

## TLS

Off unless `service.tls` is there. With `service: {tls: {enabled: true}}` the port 8080 speaks HTTPS and nothing else:
`status.endpoint` and the Services' `appProtocol` say so. The operator issues the certificate from the cluster's own authority
(the one of its PostgreSQL servers, if it has any) into Secret `demo-tls`, and publishes what clients verify it with: key
`ca.crt` of ConfigMap `demo-ca`, which `status.caConfigMap` names. Mount it, or:

```console
$ kubectl get configmap demo-ca -o jsonpath='{.data.ca\.crt}' > ca.crt
$ curl --cacert ca.crt https://demo.default.svc:8080/v1/stores
```

The certificate names `demo`, `demo.NAMESPACE`, `demo.NAMESPACE.svc` (with and without `cluster.local`), the pods behind
`demo-headless`, and `localhost` for `kubectl port-forward`. It lives a year and is renewed 60 days before it ends; the
authority lives ten years, and the next one stands in `ca.crt` a day before it signs, so read that file again now and then. A
renewed certificate restarts nothing: the service reads the mounted files again, and only new connections see it. Switching TLS
on or off does roll the pods, and changes the URL; while that goes on pods of both kinds answer.

`secretName` takes a certificate of your own instead, such as cert-manager renews: a Secret of type `kubernetes.io/tls` in the
cluster's namespace, the chain in `tls.crt`. Nothing is issued or published then. With `clientCA` every client must show a
certificate of one of those authorities, besides whatever `auth` asks for; the operator, which calls the service for
StorageMigrations, StorageBackups and StorageRestores, shows the one in the Secret of `operatorSecretName`. It trusts what stands in
the Secret of `secretName`: `ca.crt`, where that is there, and the chain. Pods mount both, so changes reach the service within
a minute or two of the kubelet's; the operator looks at them every five minutes. What is missing or malformed is said by `Ready`
(`TlsSecretMissing` and the others below) and holds back only what would make new pods of the service, which could not start; for
pods that run already it is `Degraded` alone.

The admin port (9090) stays plain HTTP: probes, Prometheus and the operator ask it.

## Annotations

| Annotation | Meaning |
|---|---|
| `storage.holdfast.dev/hibernate: "true"` | nothing runs, neither service nor servers; all data is kept. Taken off, everything comes back |
| `storage.holdfast.dev/rotate-passwords: VALUE` | any value that has not been carried out before: the service and the servers of each PostgreSQL and Redis backend get new passwords ([below](#new-passwords)) |
| `storage.holdfast.dev/apply-migrations: JOB` | lets that Job run when `migrations.policy` is `Manual`; several with commas between them. `MigrationsApplied` says its name |

## New passwords

`kubectl annotate --overwrite stc demo storage.holdfast.dev/rotate-passwords=2026-11` gives everything that logs in to a
PostgreSQL backend a new password, and nobody is refused meanwhile. A role of PostgreSQL has one password, so there are two
roles of each, that take turns:

| Who | Roles | In the Secret |
|---|---|---|
| the service and PgBouncer | `holdfast`, `holdfast_b`, which takes the role of the first: everything belongs to one owner whoever logs in | `application-password`, `-b` |
| Patroni, and the operator's login Jobs | superusers `postgres`, `postgres_b` | `superuser-password`, `-b` |
| standbys | `replicator`, `replicator_b` | `replication-password`, `-b` |
| pg_rewind | `rewinder`, `rewinder_b`, with the rights it needs and no more | `rewind-password`, `-b` |

1. `Admitting`: the Secret gets new passwords for the roles that are not in use; the Job `demo-db-login-...` sets them on the
   primary, of which the server sees SCRAM verifiers only, and logs in with them there, on every server (which has replayed the
   change then) and through every pod of the pooler. PgBouncer is not restarted: it reads its users (`userlist.txt` of the
   Secret) again once the kubelet has brought them, within a minute or two.
2. `Switching`: the service is rolled over to the new login; its former pods keep logging in as they did until they have ended.
   The servers are not restarted: each Patroni reads its logins (`patroni-logins.yml` of the Secret) again, and a standby
   connects anew as the new role. Until then it streams as the former one; a commit that is in between waits for the reconnect.
3. `Retiring`: a Job waits until every server shows that it goes by the new logins (`SHOW holdfast.logins`) and nobody has used
   the former roles for 20 s, takes their passwords and their right to log in away and ends what sessions they have. Patroni
   keeps the session to its own server that it has, as whomever it was opened.

Both passwords of everybody are good from the first step to the last, so there is no moment in which a member could not log in,
and a failover finds logins that work at any time. A step waits until every server runs and none is to be replaced.

Where it is stands in annotations of the Secret (`storage.holdfast.dev/rotation-step`; `login` and `superuser` name the roles in
use, `rotated` the value carried out last), in `Progressing` (`RotatingPasswords`) and in Events. Each step is one write of the
Secret, made before what it stands for is done, so whoever takes over from an operator that died goes on where it was. It begins
when the schema is what the service needs, and waits while the cluster hibernates. [operations.md](operations.md#new-passwords)
is the runbook.

Of a Redis backend, with sentinels, shards or neither, the same annotation renews the passwords of the service's user
`holdfast`, of `keeper`, of replication and of the sentinels. Redis lets a user in by two passwords, so users stay who they are and
the Secret holds two of each for a while, `application-password` and `application-password-b` and so on. Beside every server and
sentinel `follow.sh` tells it what the Secret says, in memory and by hashes (`ACL SETUSER`): the file of users that Redis starts
with is the Secret's own, so there is nothing to be saved, and no connection ends, which reading that file again would do.

1. `Admitting`: the Secret gets second passwords, and every server and sentinel lets both in.
2. `Switching`: the second ones are in use: replicas log in to their master (`masterauth`) and sentinels to the servers and to each
   other (`auth-pass`, `sentinel-pass`) with them, from the next connection on, and the service's pods are rolled over.
3. `Retiring`: the former ones are gone from the Secret, and open nothing any more.

A Job `demo-cache-login-...` waits at each step until every server and sentinel shows that it has followed, by a user that nobody
can be (`ACL USERS`: `followed-` and a hash of its file of users). No server and no sentinel is restarted.

## Migrations

A new image of the service first gets its Job; the pods of the former image keep serving until it has ended well. A Job
that fails is tried again a few times, unless its answer would be the same, and then left: `MigrationsApplied` is `False`
with reason `MigrationFailed` and the end of its log, the former service keeps serving, and nothing is tried again until
the Job is deleted or the image changes. What an interrupted step leaves behind is in [migrations.md](migrations.md).

## Conditions

| Type | Status and reason | Meaning |
|---|---|---|
| `Ready` | `True` `Available` | every replica is ready and runs what the spec asks for |
| | `False` `RollingOut` | pods are being made or replaced |
| | `False` `BackendNotReady` | a postgres backend has no primary that takes writes, or a redis backend no server that answers, or none that is a master or in step with one |
| | `False` `ShardLost` | slots of a redis backend with shards are served by nobody, and nobody takes over by itself; the message says which, and what to do |
| | `False` `WaitingForPrimary`, `Migrating` | a schema is not yet what the service needs |
| | `False` `WaitingForApproval`, `MigrationFailed` | the same, and somebody has to act |
| | `False` `CredentialsMissing` | a database is there, and its passwords are not |
| | `False` `AuthorityBroken` | the Secret of the certificate authority holds something else |
| | `False` `TlsSecretMissing`, `TlsSecretInvalid` | the Secret of `service.tls.secretName` is not there, or holds no certificate with its key, or one that has ended |
| | `False` `ClientCaMissing`, `ClientCaInvalid` | the same of `service.tls.clientCA` |
| | `False` `Hibernated` | the annotation asks for it |
| | `False` `InvalidSpec` | the spec breaks a rule; what runs is left as it is |
| | `False` `ObjectConflict` | an object of a child's name belongs to somebody else |
| | `False` `WaitingForFormerObjects` | objects of a deleted cluster of the same name are still going |
| | `False` `ApplyFailed` | the API server refused an object; the message has its words |
| | `False` `AccessRefused` | the operator may not read the cluster's objects; the message names verb and resource |
| | `False` `ApiServerFailing` | for a minute every try has ended with a failure that should pass by itself; the message has the API server's words, such as that it has no address left for a Service; it is tried on |
| | `False` `StorageClassMismatch` | the claim that is there has another storage class than the spec names |
| | `False` `ScaledToZero` | `service.replicas` is 0 |
| | `False` `Terminating` | the cluster is being deleted |
| `Progressing` | `True` with the reason of `Ready` | the operator is at work or waits for the cluster |
| | `True` `RotatingPasswords` | the service and the servers get new passwords; the message says which step waits for what |
| | `False` `Settled` or `Blocked` | nothing is left to do, or nothing can be done before somebody acts |
| `Degraded` | `True` with a reason | something will not mend itself: a reason of `Ready`, `PodFailing`, `NoStorageClass`, `VolumeResizeFailed`, `VolumeTerminating`, `MaximumReached` and `GrowthRefused` of `StorageHasRoom`, `PasswordRotationFailed`, or `DeletionBlocked` (`terminationPolicy` is `DoNotTerminate`) |
| | `False` `AsExpected` | |
| `MigrationsApplied` | `True` `AllApplied` | every schema is what the service needs; absent without a postgres backend |
| | `False` with a reason of `Ready` | it is not yet, and the message says what is waited for |
| `StorageHasRoom` | `True` `BelowThreshold` | less of the volumes is in use than `autogrow.threshold`; of several it is about the one that is worst off; absent without `autogrow` |
| | `False` `Growing`, `WaitingForInterval` | more is, and the volume grows, or has to wait for `autogrow.interval` before it does |
| | `False` `MaximumReached`, `GrowthRefused` | more is, and it cannot grow: `autogrow.maxSize`, or the API server's words |
| | `Unknown` `NotTold` | its pod does not tell how full the volume is; the volume does not grow |
| | `Unknown` `NotBound`, `SharedFileSystem`, `Hibernated` | there is no volume yet; its file system is not its own; nothing runs |
| `BackupHealthy` | `True` `BackedUp` | every postgres backend with `backup` has a full backup, nothing is overdue, the last did not fail and the archive is not behind; of every schedule in `backups.schedules` the last StorageBackup did not fail, and none is overdue; absent without one of either |
| | `False` with a reason | [operations.md](operations.md#backups-of-postgresql) says what to do about each, and [there](operations.md#backups) of a schedule |
| `Paused` | `True` `PausedByAnnotation` | the operator changes nothing; there only while the cluster is paused |

## Pausing

While a StorageCluster has the annotation `storage.holdfast.dev/paused` with any value but `false`, the operator writes
nothing but its status: no object is made, changed or deleted, nothing fails over by the operator's doing, and a deletion
waits. What runs goes on running. The condition `Paused` says how many changes wait; `status.observedGeneration` and the
other conditions stay those of the spec that was carried out last, so that tools that wait for a new spec go on waiting.

## Deleting

`Retain` keeps the PersistentVolumeClaim, without an owner; an event names it, and a new cluster of the same name takes it
over with its data. `Delete` deletes it once the pods have ended. `DoNotTerminate` holds the deletion and keeps the service
running until the policy is changed; in a namespace that is itself being deleted, where nothing can be held, it acts as
`Retain`.

## Trust

Whoever may write a `StorageCluster` decides over the data in it. No field names an object in another namespace; the
operator reads and writes a cluster's children in the cluster's own namespace only.
)";

}  // namespace

std::string StorageClusterReference() {
  return kIntroduction + FieldTables(StorageClusterFields()) + kEpilogue;
}

}  // namespace holdfast::api
