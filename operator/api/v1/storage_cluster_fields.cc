#include "operator/api/v1/storage_cluster_fields.h"

#include "operator/api/v1/backup_place_fields.h"
#include "operator/api/v1/backup_schedule.h"
#include "operator/api/v1/change_archive_rules.h"
#include "operator/api/v1/condition_fields.h"
#include "operator/api/v1/lock_rules.h"
#include "operator/api/v1/name_fields.h"
#include "operator/api/v1/postgres_backup_fields.h"
#include "operator/api/v1/postgres_fields.h"
#include "operator/api/v1/postgres_rules.h"
#include "operator/api/v1/redis_fields.h"
#include "operator/api/v1/redis_rules.h"
#include "operator/api/v1/replicated_rules.h"
#include "operator/api/v1/storage_cluster_rules.h"
#include "operator/api/v1/store_fields.h"
#include "operator/api/v1/store_move.h"
#include "operator/api/v1/store_rules.h"
#include "operator/api/v1/write_queue_rules.h"

namespace holdfast::api {
namespace {

constexpr std::size_t kMaximumBackends = 16;
constexpr std::int64_t kMaximumReplicas = 64;

Field Storage() {
  Field storage =
      StorageFields("The persistent volume the data lives on.",
                    "How large the volume is, such as 10Gi. Can grow, when the storage class allows it, but never "
                    "shrink. The embedded backends of one cluster share one volume, but for the replicas of a "
                    "replicated store, which have one each; its size is the sum of theirs.",
                    "Lets the volume grow by itself when it fills, for a storage class that allows expansion. With "
                    "several embedded backends that share one volume, the lowest threshold counts and the other "
                    "sizes are added up.");
  storage.required = true;
  return storage;
}

Field Embedded() {
  return {.name = "embedded",
          .description =
              "RocksDB inside the state service, on a persistent volume. A write is acknowledged when it is "
              "on disk.",
          .fields = {Storage(),
                     {.name = "cacheSize",
                      .type = FieldType::kBytes,
                      .description = "Memory for recently read blocks.",
                      .default_value = "64Mi",
                      .minimum_quantity = "1Mi",
                      .maximum_quantity = "1Ti"},
                     {.name = "compression",
                      .type = FieldType::kString,
                      .description = "How blocks are compressed on disk.",
                      .default_value = "zstd",
                      .max_length = 16,
                      .choices = {"none", "lz4", "snappy", "zstd"}},
                     {.name = "archivedLogSize",
                      .type = FieldType::kBytes,
                      .description =
                          "For a store with changeArchive: room on the volume for old write-ahead logs whose changes "
                          "were not shipped yet, 1Gi when absent. What has to go before it was shipped is a gap in the "
                          "store's change log.",
                      .minimum_quantity = "1Mi",
                      .maximum_quantity = "1Ti"}}};
}

Field Memory() {
  return {.name = "memory",
          .description = "The memory of the state service. Fast, and empty again whenever the pod ends.",
          .fields = {{.name = "maxBytes",
                      .type = FieldType::kBytes,
                      .description = "How much memory the entries may take; writes beyond it are refused.",
                      .default_value = "256Mi",
                      .minimum_quantity = "1Mi",
                      .maximum_quantity = "1Ti"},
                     CompressionField("How large values are kept: packed, which makes room for more of them within "
                                      "maxBytes and costs processor time at each read, or none, as when absent.",
                                      {"none", "lz4", "snappy", "zstd"})}};
}

Field Backends() {
  Field backend = {
      .description = "One backend; exactly one kind must be given.",
      .fields = {StorageNameField("name", "How stores refer to it.", 40), Embedded(), Memory(), PostgresFields(),
                 RedisFields()},
      .exactly_one = {"embedded", "memory", "postgres", "redis"},
      .rules = {BackendKeepsItsKindRule()},
  };
  return {.name = "backends",
          .type = FieldType::kList,
          .description = "What exists to keep data in.",
          .required = true,
          .min_items = 1,
          .max_items = kMaximumBackends,
          .list_key = "name",
          .items = {std::move(backend)}};
}

Field Autoscaling() {
  return {.name = "autoscaling",
          .description =
              "A HorizontalPodAutoscaler decides over the number of pods, in place of replicas. For clusters "
              "of postgres and redis backends only: other data lives inside the pod.",
          .fields = {{.name = "minReplicas",
                      .type = FieldType::kInteger,
                      .description = "At least so many pods.",
                      .default_value = 2,
                      .minimum = 1,
                      .maximum = kMaximumReplicas},
                     {.name = "maxReplicas",
                      .type = FieldType::kInteger,
                      .description = "At most so many pods.",
                      .required = true,
                      .minimum = 1,
                      .maximum = kMaximumReplicas},
                     {.name = "targetCpuPercent",
                      .type = FieldType::kInteger,
                      .description = "The share of the requested processor time that is aimed at.",
                      .default_value = 70,
                      .minimum = 1,
                      .maximum = 100}},
          .rules = {AutoscalingBoundsRule()}};
}

Field Auth() {
  return {.name = "auth",
          .description = "Who may use the API.",
          .fields = {{.name = "mode",
                      .type = FieldType::kString,
                      .description = "None: whoever reaches the port. ServiceAccount: pods of the cluster's namespace "
                                     "with the token of their ServiceAccount, which the Kubernetes API reviews; bind "
                                     "the ClusterRole system:auth-delegator to the ServiceAccount of the cluster's "
                                     "name once.",
                      .default_value = "None",
                      .max_length = 16,
                      .choices = {"None", "ServiceAccount"}}}};
}

Field Tls() {
  Field client_authorities = {
      .name = "clientCA",
      .description =
          "With it every client must show a certificate of one of these authorities (PEM), in a Secret or "
          "a ConfigMap of the cluster's own namespace. A change of its contents needs no restart.",
      .fields = {KeyReference("secretRef", "A Secret.", "Secret"),
                 KeyReference("configMapRef", "A ConfigMap.", "ConfigMap")},
      .exactly_one = {"secretRef", "configMapRef"}};
  return {.name = "tls",
          .description =
              "HTTPS for the API, on the port that is plain HTTP without it. The admin port, which probes "
              "and Prometheus ask, stays as it is.",
          .fields = {{.name = "enabled",
                      .type = FieldType::kBoolean,
                      .description = "false is as if tls were absent.",
                      .default_value = true},
                     {.name = "secretName",
                      .type = FieldType::kString,
                      .description = "A Secret of type kubernetes.io/tls in the cluster's own namespace, such as "
                                     "cert-manager makes, with tls.crt and tls.key. When absent the operator issues "
                                     "and renews a certificate, and publishes its authority in a ConfigMap.",
                      .max_length = 253,
                      .pattern = kObjectNamePattern,
                      .pattern_words = "the name of a Secret"},
                     std::move(client_authorities),
                     {.name = "operatorSecretName",
                      .type = FieldType::kString,
                      .description = "A Secret of type kubernetes.io/tls in the cluster's own namespace with a "
                                     "certificate of clientCA, which the operator shows when it calls the service: "
                                     "StorageMigrations, StorageBackups and StorageRestores need it beside clientCA.",
                      .max_length = 253,
                      .pattern = kObjectNamePattern,
                      .pattern_words = "the name of a Secret"}},
          .rules = {OperatorSecretNeedsClientAuthorityRule()}};
}

Field Migrations() {
  return {.name = "migrations",
          .description = "How the schema of postgres backends is brought to what a new service needs, before it runs.",
          .default_value = Json::object(),
          .fields = {{.name = "policy",
                      .type = FieldType::kString,
                      .description = "Auto: at once. Manual: once the annotation storage.holdfast.dev/apply-migrations "
                                     "names the Job that the condition MigrationsApplied names.",
                      .default_value = "Auto",
                      .max_length = 16,
                      .choices = {"Auto", "Manual"}}}};
}

Field Failover() {
  return {.name = "failover",
          .description = "What happens when the primary of a postgres backend is gone.",
          .default_value = Json::object(),
          .fields = {{.name = "mode",
                      .type = FieldType::kString,
                      .description = "Automatic: the operator makes Patroni elect at once when it is certain that the "
                                     "primary is gone. Manual: Patroni elects when its lease has run out.",
                      .default_value = "Automatic",
                      .max_length = 16,
                      .choices = {"Automatic", "Manual"}},
                     {.name = "maxLagBytes",
                      .type = FieldType::kInteger,
                      .description = "An asynchronous standby that is further behind is not promoted.",
                      .default_value = 1048576,
                      .minimum = 0,
                      .maximum = std::int64_t{1} << 40}}};
}

Field Service() {
  return {
      .name = "service",
      .description = "The state service that serves the stores over HTTP.",
      .default_value = Json::object(),
      .fields = {{.name = "replicas",
                  .type = FieldType::kInteger,
                  .description = "How many pods; 0 stops the service and keeps the data. At most 1 while a store is on "
                                 "an embedded or memory backend.",
                  .default_value = 1,
                  .minimum = 0,
                  .maximum = kMaximumReplicas},
                 {.name = "resources",
                  .description = "What each pod asks of its node. Without requests, the memory asked for follows from "
                                 "the backends' cacheSize and maxBytes; without limits there are none.",
                  .fields = {ResourceAmounts("requests", "What is set aside for the pod."),
                             ResourceAmounts("limits", "What the pod may not exceed.")}},
                 Autoscaling(),
                 Auth(),
                 Tls()}};
}

Field Spec() {
  return {
      .name = "spec",
      .description = "What should be.",
      .required = true,
      .fields = {Backends(),
                 StoresFields(),
                 {.name = "defaultStore",
                  .type = FieldType::kString,
                  .description = "The store that /v1/stores/_default means; the first one when absent.",
                  .max_length = 63},
                 Service(),
                 {.name = "terminationPolicy",
                  .type = FieldType::kString,
                  .description = "What happens to the data when the StorageCluster is deleted. Retain: the volumes "
                                 "stay, and a new cluster of the same name takes them over. Delete: the volumes are "
                                 "deleted. DoNotTerminate: deletion waits until the policy is changed.",
                  .default_value = "Retain",
                  .max_length = 16,
                  .choices = {"Retain", "Delete", "DoNotTerminate"}},
                 Migrations(),
                 Failover(),
                 BackupPlaceFields(),
                 Later("monitoring", FieldType::kObject, "Objects for the Prometheus operator.",
                       "remove it, and scrape /metrics on the admin port")},
      .rules = {StoresReferToBackendsRule(), DefaultStoreExistsRule(), ComposedStoresOverRedisRule(),
                MemoryCacheIsOnlyCacheRule(), SecondaryBelongsToPodRule(), WriteQueueIsEmbeddedRule(),
                ReplicasAreEmbeddedRule(), ReplicaBelongsToStoreRule(), OneReplicaPerOwnDataRule(),
                OneStorageClassRule(), AutoscalingNeedsSharedDataRule(), DurableStoresRule(),
                LockBackendsAreDurableServersRule(), LockBackendsKeepNothingElseRule(), ChangeArchiveNeedsPlaceRule(),
                BackupSchedulesNameStoresRule()},
  };
}

Field BackendStatuses() {
  Field backend = {
      .fields = {
          {.name = "name", .type = FieldType::kString, .description = "The backend's name.", .required = true},
          {.name = "type", .type = FieldType::kString, .description = "embedded, memory, postgres, redis or external."},
          {.name = "sentinels",
           .type = FieldType::kInteger,
           .description = "Of a redis backend with sentinels: how many the spec asks for."},
          {.name = "readySentinels", .type = FieldType::kInteger, .description = "How many of them are ready."},
          {.name = "phase",
           .type = FieldType::kString,
           .description = "Of a redis backend: Starting, Ready or Hibernated."},
          {.name = "endpoint",
           .type = FieldType::kString,
           .description = "Of a redis backend: where it is reached inside the cluster."},
          {.name = "claimName", .type = FieldType::kString, .description = "The PersistentVolumeClaim with its data."},
          {.name = "requested", .type = FieldType::kString, .description = "The size asked for the whole claim."},
          {.name = "capacity",
           .type = FieldType::kString,
           .description = "The size the volume has now; absent until it is bound. Of several the smallest."},
          {.name = "primary",
           .type = FieldType::kString,
           .description = "The pod that takes writes; absent while there is none."},
          {.name = "instances", .type = FieldType::kInteger, .description = "Servers that the spec asks for."},
          {.name = "readyInstances", .type = FieldType::kInteger, .description = "Servers that are ready."}}};
  return {.name = "backends",
          .type = FieldType::kList,
          .description = "What is known about each backend.",
          .max_items = kMaximumBackends,
          .list_key = "name",
          .items = {std::move(backend)}};
}

Field FailoverStatuses() {
  const auto text = [](const char* name, const char* description) {
    return Field{.name = name, .type = FieldType::kString, .description = description};
  };
  Field backend = {
      .fields = {
          {.name = "backend", .type = FieldType::kString, .description = "The backend's name.", .required = true},
          text("primary", "The pod that was last seen taking writes."),
          {.name = "ready",
           .type = FieldType::kBoolean,
           .description = "Whether the primary may be lost: a standby has every write, or of redis is in step."},
          text("readyReason", "Why, in one word for programs."),
          {.name = "epoch", .type = FieldType::kInteger, .description = "Rises with every failover and switchover."},
          text("kind", "Failover or Switchover."),
          text("step", "Fencing, Promoting, Switching, Waiting, Refused or Done."),
          text("from", "The pod that is, or was, to be primary no more."),
          text("fromUid", "Its uid."),
          text("to", "The pod that is expected to be primary, or became it."),
          text("reason", "Why, in one word for programs."),
          text("message", "Why, in a sentence for people."),
          text("startedAt", "When it began."),
          text("finishedAt", "When it was over."),
          text("rollout", "How far a rolling change of the servers is; absent when none is under way."),
          text("scaling", "Of redis with sentinels: how far servers are that go; absent when none has to.")}};
  return {.name = "failover",
          .type = FieldType::kList,
          .description = "Of each postgres and redis backend: its primary, and the last failover or switchover.",
          .max_items = kMaximumBackends,
          .list_key = "backend",
          .items = {std::move(backend)}};
}

Field ClusterStatus() {
  return {
      .name = "status",
      .description = "What is. Written by the operator only.",
      .fields = {
          {.name = "observedGeneration",
           .type = FieldType::kInteger,
           .description = "The metadata.generation the rest of the status was found for."},
          {.name = "replicas", .type = FieldType::kInteger, .description = "Pods that exist."},
          {.name = "readyReplicas", .type = FieldType::kInteger, .description = "Pods that are ready."},
          {.name = "selector", .type = FieldType::kString, .description = "The label selector of the pods."},
          {.name = "endpoint",
           .type = FieldType::kString,
           .description = "Where applications reach the API, inside the cluster."},
          {.name = "caConfigMap",
           .type = FieldType::kString,
           .description = "The ConfigMap whose ca.crt clients verify the endpoint's certificate with; "
                          "absent without TLS and for a certificate of one's own."},
          {.name = "stores",
           .type = FieldType::kString,
           .description = "The names of the stores, the default store first."},
          BackendStatuses(),
          FailoverStatuses(),
          RedisStatuses(kMaximumBackends),
          PostgresBackupStatuses(kMaximumBackends),
          BackupScheduleStatuses(),
          MoveStatuses(),
          ConditionFields(
              "Ready: the API answers with everything the spec asks for. Progressing: the operator is at "
              "work or waits for the cluster. Degraded: something is wrong that will not mend itself; the "
              "message says what to do. MigrationsApplied: the schema of every postgres backend is what the service "
              "needs. StorageHasRoom: less of a volume that grows by itself is in use than its threshold. "
              "BackupHealthy: every postgres backend with backups has a full one, the last did not fail, none is "
              "overdue and the archive is not behind; of every schedule of backups the last did not fail, and the "
              "newest that succeeded is not older than two periods. "
              "StoresAsSpecified: no store has its entries in another backend than the spec names; there only while "
              "StorageMigrations have moved stores.")}};
}

Field Root() {
  return {.description =
              "StorageCluster gives applications managed state: backends that keep data, stores made of "
              "them, and a service that serves the stores over HTTP.",
          .fields = {Spec(), ClusterStatus()},
          .rules = {ClusterNameRule(), PostgresNamesFitRule()}};
}

}  // namespace

const Field& StorageClusterFields() {
  static const Field root = Root();
  return root;
}

}  // namespace holdfast::api
