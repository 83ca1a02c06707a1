#include "operator/api/v1/store_fields.h"

#include "operator/api/v1/lock_rules.h"
#include "operator/api/v1/postgres_fields.h"
#include "operator/api/v1/store_rules.h"

namespace holdfast::api {
namespace {

constexpr std::size_t kMaximumStores = 64;
constexpr std::size_t kMaximumBackendName = 40;

Field BackendName(std::string name, std::string description) {
  return {.name = std::move(name),
          .type = FieldType::kString,
          .description = std::move(description),
          .required = true,
          .max_length = kMaximumBackendName};
}

Field Tiered() {
  return {.name = "tiered",
          .description =
              "A cache in front of a backend. Reads are answered from copies as long as they are certain to "
              "be the newest, writes go through. With several pods over postgres only reads with "
              "consistency=eventual are answered from copies, at most 2 s old.",
          .fields = {BackendName("store", "The backend that keeps the entries: embedded, memory or postgres."),
                     BackendName("cache",
                                 "The backend that keeps copies, of any kind. A memory backend gives up what was not "
                                 "used for longest when it is full, and is nothing but a cache then."),
                     {.name = "write",
                      .type = FieldType::kString,
                      .description = "Through: a write is acknowledged when the backend behind the cache has it.",
                      .default_value = "Through",
                      .max_length = 16,
                      .choices = {"Through"}},
                     {.name = "ttl",
                      .type = FieldType::kDuration,
                      .description = "How long a copy is kept at most.",
                      .default_value = "1h"}},
          .rules = {TieredOfTwoBackendsRule()}};
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
  const std::string remedy = "use backend, tiered or failover";
  Field store = {
      .description = "One store: a name under which the API serves a backend, or what is composed of two.",
      .fields = {{.name = "name",
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
                 {.name = "defaultTtl",
                  .type = FieldType::kDuration,
                  .description = "How long an entry lives that was written without a TTL, such as 1h; for ever when "
                                 "absent."},
                 {.name = "durable",
                  .type = FieldType::kBoolean,
                  .description = "Whether an acknowledged write has to survive loss of power: a backend that cannot "
                                 "promise that is refused, and an external Redis that does not takes no writes."},
                 LockBackends(),
                 Later("replicated", FieldType::kObject, "Several backends with a quorum.", remedy),
                 Later("dualWrite", FieldType::kObject, "Every write to two backends.", remedy)},
      .exactly_one = {"backend", "tiered", "failover", "replicated", "dualWrite"},
      .rules = {LockBackendsAreImmutableRule()},
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
