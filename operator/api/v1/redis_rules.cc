#include "operator/api/v1/redis_rules.h"

#include <algorithm>
#include <cstdlib>

#include "base/config/settings.h"
#include "operator/api/v1/redis_fields.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/api/v1/store_rules.h"

namespace holdfast::api {
namespace {

std::string Mode(const Json& redis) {
  return redis.value("mode", std::string(kRedisStandaloneMode));
}

std::int64_t SentinelNumber(const Json& redis, const char* name, std::int64_t otherwise) {
  return redis.contains("sentinel") ? redis.at("sentinel").value(name, otherwise) : otherwise;
}

// Of validated fields, with their defaults.
bool PersistenceFlag(const Json& redis, const char* name, bool otherwise) {
  return redis.contains("persistence") ? redis.at("persistence").value(name, otherwise) : otherwise;
}

bool SyncsEveryWrite(const Json& redis) {
  return redis.contains("persistence") && PersistenceFlag(redis, "appendOnly", true) &&
         redis.at("persistence").value("fsync", std::string()) == "always";
}

// Whether an acknowledged write outlives the loss of power. Of an external server the service asks that itself.
bool CanBeDurable(const Json& backend) {
  if (backend.contains("memory")) return false;
  if (!backend.contains("redis")) return true;
  const Json& redis = backend.at("redis");
  return redis.contains("external") || IsDurableServer(redis);
}

// Bytes of a valid quantity, to compare with; beyond 2^53 not to the byte.
long double QuantityBytes(const Json& quantity) {
  if (quantity.is_number()) return quantity.get<long double>();
  const std::string& text = quantity.get_ref<const std::string&>();
  char* rest = nullptr;
  const long double number = std::strtold(text.c_str(), &rest);
  const std::string unit(rest);
  if (unit == "m") return number / 1000;
  const auto one = config::ParseBytes("1" + unit);
  return number * (one.ok() ? static_cast<long double>(*one) : 1.0L);
}

}  // namespace

bool IsDurableServer(const Json& redis) {
  return SyncsEveryWrite(redis) && Mode(redis) == kRedisStandaloneMode;
}

std::string DurableServerInCel() {
  return "(!has(b.redis.mode) || b.redis.mode == 'Standalone') && has(b.redis.persistence) && "
         "b.redis.persistence.appendOnly && b.redis.persistence.fsync == 'always'";
}

Rule RedisModeIsImmutableRule() {
  return {.cel = "(has(self.mode) ? self.mode : 'Standalone') == (has(oldSelf.mode) ? oldSelf.mode : 'Standalone')",
          .message = "mode cannot change: add a backend under another name and copy the stores",
          .broken_at = [](const Json& self, const Json* old) -> std::vector<std::string> {
            if (Mode(self) == Mode(*old)) return {};
            return {"mode"};
          },
          .transition = true,
          .field_path = ".mode"};
}

Rule RedisPersistenceIsImmutableRule() {
  const std::string append_only = "(has($.persistence) ? $.persistence.appendOnly : true)";
  const std::string snapshots = "(has($.persistence) ? $.persistence.snapshots : false)";
  const auto of = [](std::string text, const std::string& variable) {
    for (std::size_t at = 0; (at = text.find('$', at)) != std::string::npos;) text.replace(at, 1, variable);
    return text;
  };
  return {
      .cel = of(append_only, "self") + " == " + of(append_only, "oldSelf") + " && (" + of(append_only, "self") +
             " || " + of(snapshots, "self") + " == " + of(snapshots, "oldSelf") + ")",
      .message =
          "persistence.appendOnly cannot change, nor persistence.snapshots without it: Redis starts from either the "
          "append-only file or the snapshot, and would find the one it was not writing; add a backend under another "
          "name and copy the stores",
      .broken_at = [](const Json& self, const Json* old) -> std::vector<std::string> {
        const bool appends = PersistenceFlag(self, "appendOnly", true);
        if (appends != PersistenceFlag(*old, "appendOnly", true)) return {"persistence.appendOnly"};
        if (appends || PersistenceFlag(self, "snapshots", false) == PersistenceFlag(*old, "snapshots", false)) {
          return {};
        }
        return {"persistence.snapshots"};
      },
      .transition = true};
}

Rule RedisLimitHoldsMemoryRule() {
  // A number is not made a text of: the API server reckons what that may cost by the longest text there is.
  const std::string limit = "self.resources.limits.memory";
  const std::string data =
      std::string("quantity(has(self.maxMemory) ? self.maxMemory : '").append(kDefaultRedisMemory).append("')");
  return {.cel = "!has(self.resources) || !has(self.resources.limits) || !has(" + limit + ") || (type(" + limit +
                 ") == int ? " + limit + " > " + data + ".asInteger() : quantity(" + limit + ").isGreaterThan(" + data +
                 "))",
          .message =
              "resources.limits.memory must be above maxMemory (256Mi when absent), or the kernel kills the server "
              "before it is full; raise it to one and a half times maxMemory, or lower maxMemory",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            const Json limits = self.value("resources", Json::object()).value("limits", Json::object());
            if (!limits.contains("memory")) return {};
            const auto most = config::ParseBytes(self.value("maxMemory", std::string(kDefaultRedisMemory)));
            if (!most.ok() || QuantityBytes(limits.at("memory")) > static_cast<long double>(*most)) return {};
            return {"resources.limits.memory"};
          },
          .field_path = ".resources"};
}

Rule SentinelFieldsNeedSentinelModeRule() {
  return {.cel = "!(has(self.instances) || has(self.sentinel)) || (has(self.mode) && self.mode == 'Sentinel')",
          .message = "instances and sentinel need mode Sentinel: set mode, or remove them",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            if (Mode(self) == kRedisSentinelMode) return {};
            std::vector<std::string> broken;
            for (const char* name : {"instances", "sentinel"}) {
              if (self.contains(name)) broken.emplace_back(name);
            }
            return broken;
          }};
}

Rule MinReplicasBelowInstancesRule() {
  return {.cel =
              "!has(self.mode) || self.mode != 'Sentinel' || (has(self.sentinel) ? self.sentinel.minReplicasToWrite "
              ": 1) < (has(self.instances) ? self.instances : 3)",
          .message = "sentinel.minReplicasToWrite must be below instances: the master is one of them",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            if (Mode(self) != kRedisSentinelMode) return {};
            const std::int64_t wanted =
                SentinelNumber(self, "minReplicasToWrite", RedisSentinel{}.min_replicas_to_write);
            if (wanted < self.value("instances", kDefaultRedisInstances)) return {};
            return {"sentinel.minReplicasToWrite"};
          }};
}

Rule SentinelsAreImmutableRule() {
  return {.cel =
              "(has(self.sentinel) ? self.sentinel.replicas : 3) == (has(oldSelf.sentinel) ? "
              "oldSelf.sentinel.replicas : 3)",
          .message =
              "sentinel.replicas cannot change: a sentinel that is gone still counts for the others' majority; add a "
              "backend under another name and copy the stores",
          .broken_at = [](const Json& self, const Json* old) -> std::vector<std::string> {
            const std::int64_t usual = RedisSentinel{}.sentinels;
            if (SentinelNumber(self, "replicas", usual) == SentinelNumber(*old, "replicas", usual)) return {};
            return {"sentinel.replicas"};
          },
          .transition = true};
}

Rule SentinelNeedsAppendOnlyRule() {
  return {.cel = "!has(self.mode) || self.mode != 'Sentinel' || !has(self.persistence) || self.persistence.appendOnly",
          .message =
              "mode Sentinel needs persistence.appendOnly true: of servers that come back without data none may "
              "become the master; remove appendOnly, or use mode Standalone",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            if (Mode(self) != kRedisSentinelMode || PersistenceFlag(self, "appendOnly", true)) return {};
            return {"persistence.appendOnly"};
          }};
}

Rule SentinelsAreOddRule() {
  return {.cel = "self.replicas % 2 == 1",
          .message = "replicas must be odd: one more than an odd number outlives no more failures",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            if (self.at("replicas").get<std::int64_t>() % 2 == 1) return {};
            return {"replicas"};
          },
          .field_path = ".replicas"};
}

Rule DurableStoresRule() {
  return {
      .cel = "self.stores.all(s, !has(s.durable) || !s.durable || self.backends.all(b, b.name != " + RecordInCel() +
             " || !(has(b.memory) || (has(b.redis) && !has(b.redis.external) && !(" + DurableServerInCel() + ")))))",
      .message =
          "stores[].durable needs a backend whose acknowledged writes survive loss of power: embedded, postgres, or "
          "redis of mode Standalone with persistence.appendOnly true and persistence.fsync always, since a failover to "
          "a replica may lose the newest; change the backend, or remove durable",
      .broken_at =
          [](const Json& self, const Json*) {
            std::vector<std::string> broken;
            const Json& stores = self.at("stores");
            const Json& backends = self.at("backends");
            for (std::size_t i = 0; i < stores.size(); ++i) {
              if (!stores[i].value("durable", false)) continue;
              const std::string record = RecordOf(stores[i]);
              const bool kept = std::all_of(backends.begin(), backends.end(), [&](const Json& backend) {
                return backend.at("name") != record || CanBeDurable(backend);
              });
              if (!kept) broken.push_back("stores[" + std::to_string(i) + "].durable");
            }
            return broken;
          },
      .field_path = ".stores"};
}

}  // namespace holdfast::api
