#include "operator/api/v1/store_fields.h"

#include "operator/api/v1/change_archive_rules.h"
#include "operator/api/v1/lock_rules.h"
#include "operator/api/v1/postgres_fields.h"
#include "operator/api/v1/replicated_rules.h"
#include "operator/api/v1/resilience_fields.h"
#include "operator/api/v1/store_rules.h"
#include "operator/api/v1/write_queue_rules.h"

namespace holdfast::api {
namespace {

constexpr std::size_t kMaximumStores = 64;
constexpr std::size_t kMaximumBackendName = 40;
// As many as the service takes.
constexpr std::size_t kMaximumStoreReplicas = 9;
constexpr std::int64_t kMaximumQueued = 100'000'000;
constexpr std::int64_t kMaximumConflicts = 10'000'000;
// 1h to 365d.
constexpr char kConflictTtlPattern[] =
    "^([1-9][0-9]{0,2}h|[1-7][0-9]{3}h|8[0-6][0-9]{2}h|87[0-5][0-9]h|8760h|[1-9][0-9]?d|[12][0-9]{2}d|3[0-5][0-9]d|"
    "36[0-5]d)$";

Field BackendName(std::string name, std::string description) {
  return {.name = std::move(name),
          .type = FieldType::kString,
          .description = std::move(description),
          .required = true,
          .max_length = kMaximumBackendName};
}

// Without defaults, so that what was not given is told from what was; the service has them.
Field Number(const char* name, const char* description, std::int64_t minimum, std::int64_t maximum) {
  return {
      .name = name, .type = FieldType::kInteger, .description = description, .minimum = minimum, .maximum = maximum};
}

Field Time(const char* name, const char* description, const char* minimum, const char* maximum) {
  return {.name = name,
          .type = FieldType::kDuration,
          .description = description,
          .minimum_duration = minimum,
          .maximum_duration = maximum};
}

Field QueueBytes(const char* name) {
  return {.name = name,
          .type = FieldType::kBytes,
          .description = "The same for their keys and values, which are in memory as well; 64Mi when absent.",
          .minimum_quantity = "1Mi",
          .maximum_quantity = "64Gi"};
}

Field ConflictTtl(const char* name, const char* description) {
  return {.name = name,
          .type = FieldType::kString,
          .description = description,
          .max_length = 8,
          .pattern = kConflictTtlPattern,
          .pattern_words = "1h to 365d, in whole hours or days, such as 720h or 30d"};
}

std::vector<Field> WriteQueue() {
  return {
      {.name = "writeQueue",
       .type = FieldType::kString,
       .description = "With write Behind or Back: the embedded backend on whose volume writes wait for `store`. With "
                      "Through what waits there is still brought, and nothing new: how to leave Behind and Back.",
       .max_length = kMaximumBackendName},
      Number("writeQueueEntries",
             "Writes that wait at most, 100000 when absent; with more, writes wait for room until their deadline and "
             "are 503 then.",
             1, kMaximumQueued),
      QueueBytes("writeQueueBytes"),
      Time("writeBackDelay", "With write Back: how long a write waits for the next one of its key; 1s when absent.",
           "1ms", "1h"),
      Time("writeCallTimeout", "The longest call that brings writes to `store`; 5s when absent.", "10ms", "1h"),
      Time("writeRetryMax", "The longest pause before what `store` did not take is tried again; 5s when absent.",
           "100ms", "1h"),
      Time("writeLookupTimeout",
           "Over postgres: how long a write waits to hear what stands under its key, and what has to come behind "
           "queued writes waits for those while `store` does not take them; 250ms when absent.",
           "1ms", "1m"),
      ConflictTtl("writeConflictTtl",
                  "How long a write is kept that lost against what somebody else had written; 720h when absent.")};
}

Field Tiered() {
  Field tiered = {
      .name = "tiered",
      .description =
          "A cache in front of a backend. Reads are answered from copies as long as they are certain to "
          "be the newest. Over postgres and redis, which several pods write to, only reads with "
          "consistency=eventual are answered from copies, at most 2 s old.",
      .fields = {BackendName("store",
                             "The backend that keeps the entries: embedded, memory, postgres, or redis with mode "
                             "Standalone or Sentinel."),
                 BackendName("cache",
                             "The backend that keeps copies, of any kind. A memory backend gives up what was not used "
                             "for longest when it is full, and is nothing but a cache then."),
                 {.name = "write",
                  .type = FieldType::kString,
                  .description =
                      "When a write is acknowledged. Through: when `store` has it. Behind: when it is on the disk of "
                      "`writeQueue`, from where each is brought to `store` at once. Back: the same, and what is "
                      "written to a key within `writeBackDelay` is brought as one. Only puts and deletes without "
                      "preconditions are queued; everything else goes to `store`, behind what is queued of its keys.",
                  .default_value = "Through",
                  .max_length = 16,
                  .choices = {"Through", "Behind", "Back"}},
                 {.name = "ttl",
                  .type = FieldType::kDuration,
                  .description = "How long a copy is kept at most.",
                  .default_value = "1h"}},
      .rules = {TieredOfTwoBackendsRule()}};
  for (Field& field : WriteQueue()) tiered.fields.push_back(std::move(field));
  for (Rule& rule : WriteModeRules()) tiered.rules.push_back(std::move(rule));
  return tiered;
}

Field Replicated() {
  return {
      .name = "replicated",
      .description =
          "Several embedded backends that each have everything, each on a volume of its own. What is acknowledged is "
          "in writeQuorum of them, and survives the loss of fewer volumes than that. In the one pod of the service: "
          "it is no protection from the loss of the node.",
      .fields =
          {{.name = "backends",
            .type = FieldType::kList,
            .description = "The replicas: embedded backends that no other store names. Cannot change.",
            .required = true,
            .min_items = 2,
            .max_items = kMaximumStoreReplicas,
            .items = {{.type = FieldType::kString,
                       .description = "A backend.",
                       .max_length = kMaximumBackendName,
                       .pattern = kStorageNamePattern,
                       .pattern_words = kStorageNameWords}}},
           {.name = "mode",
            .type = FieldType::kString,
            .description =
                "Quorum: what is acknowledged is read, and survives the loss of fewer replicas than writeQuorum. "
                "Eventual: the quorums need not meet; reads may show an earlier state, and what was acknowledged may "
                "be lost with the replicas that had it and is kept as a conflict when they come back. Cannot change.",
            .default_value = "Quorum",
            .max_length = 16,
            .choices = {"Quorum", "Eventual"}},
           Number("writeQuorum",
                  "How many have a write before it is acknowledged; a majority when absent. Cannot change.", 1,
                  kMaximumStoreReplicas),
           Number("readQuorum",
                  "How many a get asks, and how many have to be there and whole for the store to start; a majority "
                  "when absent. Cannot change.",
                  1, kMaximumStoreReplicas),
           Time("callTimeout", "A replica that takes longer to write is away; writes go on without it. 2s when absent.",
                "10ms", "1h"),
           Time("retryInterval", "How often one that is away is asked again; 500ms when absent.", "1ms", "1h"),
           Number("queueOperations",
                  "Writes that wait for one that is away, which it is handed when it is back; with more, it is "
                  "compared with the others then. 100000 when absent.",
                  1, kMaximumQueued),
           QueueBytes("queueBytes"),
           ConflictTtl("conflictTtl",
                       "How long a write is kept that one replica had and the store has not; 720h when absent."),
           Number("conflicts",
                  "How many of these are kept of one comparison; further ones are only counted. 10000 when absent.", 0,
                  kMaximumConflicts),
           Time("compareInterval",
                "How long behind one comparison of all replicas the next begins, in the background; none when absent. "
                "What has changed behind the store's back is found and mended by it, also where nobody reads it.",
                "1s", "24h"),
           Number("compareRate",
                  "With compareInterval: rows a second that it reads of a replica at most; 10000 when absent.", 1,
                  kMaximumQueued)},
      .rules = ReplicatedRules()};
}

Field Failover() {
  return {
      .name = "failover",
      .description =
          "A second backend answers while the first takes no writes. What the first acknowledges is copied "
          "to it a little later.",
      .fields = {BackendName("primary", "The backend that serves as long as it can: embedded, memory or postgres."),
                 BackendName("secondary",
                             "The backend that answers meanwhile: embedded, or memory, where each pod has a copy of "
                             "its own."),
                 {.name = "mode",
                  .type = FieldType::kString,
                  .description = "ReadOnly: the secondary answers reads, writes are 503. ReadWrite, for an embedded "
                                 "secondary: also puts and deletes without preconditions, which reach the primary when "
                                 "it is back, unless the key has changed there; GET /v1/stores/<name>/conflicts lists "
                                 "those that did not.",
                  .default_value = "ReadOnly",
                  .max_length = 16,
                  .choices = {"ReadOnly", "ReadWrite"}},
                 {.name = "maxLag",
                  .type = FieldType::kDuration,
                  .description = "With a copy that is further behind when the primary is lost the secondary does not "
                                 "answer.",
                  .default_value = "60s"}},
      .rules = {FailoverOfTwoBackendsRule()}};
}

Field LockBackends() {
  return {.name = "lockBackends",
          .type = FieldType::kList,
          .description =
              "Redis servers on a majority of which the store's locks and elections are kept (Redlock), where a "
              "failover of its backend may lose them: an odd number of backends of mode Standalone with "
              "persistence.fsync always, which no store uses. In the store's backend when absent. Cannot change.",
          .min_items = kFewestLockBackends,
          .max_items = kMostLockBackends,
          .items = {{.type = FieldType::kString, .max_length = kMaximumBackendName}},
          .rules = {LockBackendsAreOddRule(), LockBackendsDifferRule()}};
}

}  // namespace

Field StoresFields() {
  const std::string remedy = "use backend, and a StorageMigration to move it";
  Field store = {
      .description = "One store: a name under which the API serves a backend, or what is composed of several.",
      .fields =
          {{.name = "name",
            .type = FieldType::kString,
            .description = "The store's name in URLs: /v1/stores/<name>/keys.",
            .required = true,
            .max_length = 63,
            .pattern = kStorageNamePattern,
            .pattern_words = kStorageNameWords},
           {.name = "backend",
            .type = FieldType::kString,
            .description = "The backend the store keeps its entries in.",
            .max_length = kMaximumBackendName},
           Tiered(),
           Failover(),
           Replicated(),
           {.name = "defaultTtl",
            .type = FieldType::kDuration,
            .description = "How long an entry lives that was written without a TTL, such as 1h; for ever when "
                           "absent."},
           {.name = "durable",
            .type = FieldType::kBoolean,
            .description = "Whether an acknowledged write has to survive loss of power: a backend that cannot "
                           "promise that is refused, and an external Redis that does not takes no writes."},
           {.name = "changeArchive",
            .type = FieldType::kBoolean,
            .description =
                "Ships every change of the store beside its backups, so that a StorageRestore can bring it to any "
                "time since the first backup made with it. On a memory backend the changes that were not shipped end "
                "with the pod, and on redis a restart that may have lost some, or a failover, needs a new backup."},
           LockBackends(),
           ResilienceFields(),
           Later("dualWrite", FieldType::kObject, "Every write to two backends.", remedy)},
      .exactly_one = {"backend", "tiered", "failover", "replicated", "dualWrite"},
      .rules = {LockBackendsAreImmutableRule(), StoreStaysReplicatedRule(), WriteQueueStaysRule(),
                ChangeArchiveStandsAloneRule()},
  };
  return {.name = "stores",
          .type = FieldType::kList,
          .description = "What the API serves.",
          .required = true,
          .min_items = 1,
          .max_items = kMaximumStores,
          .list_key = "name",
          .items = {std::move(store)}};
}

}  // namespace holdfast::api
