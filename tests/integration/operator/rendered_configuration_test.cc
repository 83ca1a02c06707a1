// The service's own judgement of what the operator writes into its ConfigMap: a field that is accepted, but whose
// setting is not, would be a pod that never starts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/config/yaml.h"
#include "operator/cli/commands.h"
#include "tests/integration/service/service_process.h"

namespace holdfast {
namespace {

using testing::HasSubstr;

// The service's configuration for a manifest.
std::string Rendered(const std::string& manifest) {
  std::istringstream in(manifest);
  std::ostringstream out;
  std::ostringstream error;
  EXPECT_EQ(cli::RunPlan({"-f", "-", "-n", "prod"}, {in, out, error}), 0) << error.str();
  const auto documents = config::ParseYamlDocuments(out.str(), "plan");
  if (!documents.ok()) return {};
  for (const auto& document : *documents) {
    if (document.at("kind") != "ConfigMap" || !document.at("data").contains("holdfast.yaml")) continue;
    return document.at("data").at("holdfast.yaml").get<std::string>();
  }
  ADD_FAILURE() << "there is no configuration";
  return {};
}

constexpr char kBackends[] = R"(
  backends:
    - {name: a, embedded: {storage: {size: 1Gi}}}
    - {name: b, embedded: {storage: {size: 1Gi}}}
    - {name: c, embedded: {storage: {size: 1Gi}}}
    - {name: d, embedded: {storage: {size: 1Gi}}}
    - {name: log, embedded: {storage: {size: 1Gi}}}
    - {name: local, embedded: {storage: {size: 1Gi}}}
    - {name: hot, memory: {}}
    - {name: one, redis: {storage: {size: 1Gi}}}
    - {name: watched, redis: {mode: Sentinel, storage: {size: 1Gi}}}
)";

// Of a cluster with these stores.
Finished Checked(const std::string& stores) {
  const TemporaryFolder folder;
  std::string manifest = "apiVersion: storage.holdfast.dev/v1\nkind: StorageCluster\nmetadata: {name: demo}\nspec:";
  manifest.append(kBackends).append(stores);
  return RunHoldfast({{"check-config", "--config", folder.Write("holdfast.yaml", Rendered(manifest))}, {}, {}});
}

// Each with all of its fields at their least, and at their most.
TEST(RenderedConfiguration, replicated_EveryFieldIsUnderstoodToItsLimits) {
  const Finished finished = Checked(R"(
  stores:
    - {name: plain, replicated: {backends: [a, b]}}
    - name: least
      replicated: {backends: [c, d], mode: Eventual, writeQuorum: 1, readQuorum: 1, callTimeout: 10ms,
                   retryInterval: 1ms, queueOperations: 1, queueBytes: 1Mi, conflictTtl: 1h, conflicts: 0,
                   compareInterval: 1s, compareRate: 1}
    - name: most
      replicated: {backends: [log, local], writeQuorum: 2, readQuorum: 2, callTimeout: 1h, retryInterval: 1h,
                   queueOperations: 100000000, queueBytes: 64Gi, conflictTtl: 365d, conflicts: 10000000,
                   compareInterval: 24h, compareRate: 100000000}
)");
  EXPECT_EQ(finished.exit_code, 0) << finished.errors;
  EXPECT_THAT(finished.output, HasSubstr("/var/lib/holdfast-replicas/a/db"));
}

TEST(RenderedConfiguration, tiered_EveryFieldOfAQueueIsUnderstoodToItsLimits) {
  const Finished finished = Checked(R"(
  stores:
    - {name: plain, tiered: {store: local, cache: hot, write: Behind, writeQueue: log}}
    - {name: left, tiered: {store: local, cache: hot, write: Through, writeQueue: log}}
    - name: least
      tiered: {store: a, cache: hot, write: Back, writeQueue: log, writeQueueEntries: 1, writeQueueBytes: 1Mi,
               writeBackDelay: 1ms, writeCallTimeout: 10ms, writeRetryMax: 100ms, writeLookupTimeout: 1ms,
               writeConflictTtl: 1h}
    - name: most
      tiered: {store: b, cache: hot, write: Back, writeQueue: log, writeQueueEntries: 100000000,
               writeQueueBytes: 64Gi, writeBackDelay: 1h, writeCallTimeout: 1h, writeRetryMax: 1h,
               writeLookupTimeout: 1m, writeConflictTtl: 8760h}
)");
  EXPECT_EQ(finished.exit_code, 0) << finished.errors;
}

TEST(RenderedConfiguration, EveryFieldOfResilienceIsUnderstoodToItsLimits) {
  const Finished finished = Checked(R"(
  stores:
    - {name: plain, backend: hot, resilience: {breaker: {}, retry: {attempts: 2}, bulkhead: {calls: 1}, hedge: {after: 1ms}}}
    - name: least
      backend: hot
      resilience:
        callTimeout: 1ms
        breaker: {failurePercent: 1, minOperations: 1, window: 100ms, open: 10ms, probes: 1, patience: 1ms}
        retry: {attempts: 2, initial: 1ms, maximum: 1ms, budgetPercent: 0, budgetPerSecond: 0, budgetBurst: 1}
        bulkhead: {calls: 1, wait: 1ms}
        hedge: {after: 1ms, percent: 1, calls: 1}
    - name: most
      replicated: {backends: [a, b]}
      resilience:
        callTimeout: 1h
        breaker: {failurePercent: 100, minOperations: 1000000, window: 1h, open: 1h, probes: 1000, patience: 1h}
        retry: {attempts: 10, initial: 1h, maximum: 1h, budgetPercent: 1000, budgetPerSecond: 100000,
                budgetBurst: 100000}
        bulkhead: {calls: 100000, wait: 1h}
        hedge: {after: 1h, percent: 100, calls: 1000}
)");
  EXPECT_EQ(finished.exit_code, 0) << finished.errors;
  EXPECT_THAT(finished.output, HasSubstr("retry_budget_burst: 100000"));
}

TEST(RenderedConfiguration, RetentionOfBackupsIsUnderstoodToItsLimits) {
  for (const char* many : {"0", "100000"}) {
    std::string spec = "\n  stores: [{name: main, backend: hot}, {name: other, backend: local}]\n";
    spec.append("  backups: {claimName: b, retention: {keepLast: ").append(many);
    spec.append(", keepDays: ").append(many).append(", keepWeeks: ").append(many).append("}}\n");
    const Finished finished = Checked(spec);
    EXPECT_EQ(finished.exit_code, 0) << finished.errors;
    for (const char* row : {"backup_keep_last: ", "backup_keep_days: ", "backup_keep_weeks: "}) {
      EXPECT_THAT(finished.output, HasSubstr(std::string(row).append(many)));
    }
  }
}

TEST(RenderedConfiguration, tiered_memory_redis_CopiesOfARedisAreUnderstood) {
  const Finished finished = Checked(R"(
  stores:
    - {name: main, tiered: {store: one, cache: hot}}
    - {name: other, tiered: {store: watched, cache: hot}}
)");
  EXPECT_EQ(finished.exit_code, 0) << finished.errors;
}

// The control: what the operator would not have accepted, the service does not either.
TEST(RenderedConfiguration, TheServiceRefusesWhatTheFieldsBoundsKeepOut) {
  const TemporaryFolder folder;
  const std::string config = folder.Write("holdfast.yaml", R"(
backends: {a: {type: rocksdb}, b: {type: rocksdb}}
stores: {main: {backend: a, replicas: [b], replica_call_timeout: 9ms}}
)");
  const Finished finished = RunHoldfast({{"check-config", "--config", config}, {}, {}});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_THAT(finished.errors, HasSubstr("replica_call_timeout"));
}

}  // namespace
}  // namespace holdfast
