#include "service/settings_locks.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "service/setting_rows.h"

namespace holdfast::service {
namespace {

constexpr std::size_t kFewestMasters = 3;

// Why the backend cannot be one of a quorum; empty when it can.
std::string Unfit(const ServiceSettings& settings, const std::string& name) {
  const auto found = std::find_if(settings.backends.begin(), settings.backends.end(),
                                  [&](const BackendSettings& backend) { return backend.name == name; });
  if (found == settings.backends.end())
    return fmt::format("there is no backend \"{}\"; name some of the backends", name);
  const auto* const redis = std::get_if<storage::RedisOptions>(&found->options);
  if (redis == nullptr) return fmt::format("backend {} is not of type redis; name Redis servers", name);
  if (redis->client.target.topology != redis::Target::Topology::kStandalone) {
    return fmt::format(
        "backend {} has sentinels or is a cluster, whose failovers lose locks; name servers that stand alone, redis://",
        name);
  }
  // One that forgets at a crash what it granted would grant it again.
  if (!redis->durable) return fmt::format("backend {} is not durable; set backends.{}.durable: true", name, name);
  const bool has_store = std::any_of(settings.stores.begin(), settings.stores.end(), [&](const StoreSettings& store) {
    return store.backend == name || (store.cache && store.cache->backend == name);
  });
  if (has_store) {
    return fmt::format("backend {} is that of a store, or its cache; locks need servers of their own", name);
  }
  return "";
}

// The servers that the backends lead to, each with the first backend that does.
std::string SharedServer(const ServiceSettings& settings, const std::vector<std::string>& names) {
  std::map<std::string, std::string> owners;
  for (const BackendSettings& backend : settings.backends) {
    if (std::find(names.begin(), names.end(), backend.name) == names.end()) continue;
    const auto* const redis = std::get_if<storage::RedisOptions>(&backend.options);
    if (redis == nullptr || redis->client.target.addresses.empty()) continue;
    const auto [owner, is_new] = owners.emplace(redis->client.target.addresses.front().ToString(), backend.name);
    if (!is_new) {
      return fmt::format("backends {} and {} are the same server; each needs one of its own", owner->second,
                         backend.name);
    }
  }
  return "";
}

std::string Complaint(const ServiceSettings& settings, const std::vector<std::string>& names) {
  if (names.size() < kFewestMasters || names.size() % 2 == 0) {
    return fmt::format("names {} backends; give an odd number from {} on, so that a majority outlives the loss of one",
                       names.size(), kFewestMasters);
  }
  for (const std::string& name : names) {
    if (std::count(names.begin(), names.end(), name) > 1) return fmt::format("names backend {} twice", name);
    if (std::string unfit = Unfit(settings, name); !unfit.empty()) return unfit;
  }
  return SharedServer(settings, names);
}

}  // namespace

void AddLocks(std::vector<config::Setting>* rows) {
  rows->insert(
      rows->end(),
      {
          List("stores.*.lock_backends",
               "Three, five or more backends of independent Redis servers, durable: true, on a majority of which the "
               "store's locks and elections are kept (Redlock); the same list for every instance. Left out = in the "
               "store's own backend."),
          Flag("stores.*.require_fencing", "false",
               "Refuse to start unless the fencing tokens of the store survive a failover of its backend "
               "(capabilities.fencing_survives_failover)."),
          Duration("locks.quorum_timeout", "200ms", kMillisecond, 60 * kSecond,
                   "lock_backends: one call to one of them; small beside the TTLs in use."),
          Duration("locks.quorum_max_ttl", "5m", 100 * kMillisecond, 24 * kHour,
                   "lock_backends: longest TTL of a lock: 400. A server that comes back without its data grants "
                   "nothing for so long. The same for every instance."),
          Integer("locks.quorum_drift_percent", "1", 0, 50,
                  "lock_backends: percents of the TTL that a grant is shorter, for clocks of different speed."),
          Duration("locks.quorum_drift", "2ms", 0, kSecond, "lock_backends: the same, beside the percents."),
          Duration("locks.quorum_retry_delay", "50ms", kMillisecond, 10 * kSecond,
                   "lock_backends: when several ask at once and nobody wins a majority, each tries again after a "
                   "random time, at first up to this."),
      });
}

coordination::QuorumOptions QuorumOf(const config::Settings& settings) {
  coordination::QuorumOptions options;
  options.master_timeout = settings.Duration("locks.quorum_timeout");
  options.max_ttl = settings.Duration("locks.quorum_max_ttl");
  options.drift_percent = static_cast<int>(settings.Integer("locks.quorum_drift_percent"));
  options.drift = settings.Duration("locks.quorum_drift");
  options.retry_delay = settings.Duration("locks.quorum_retry_delay");
  return options;
}

void ReadLocksOfStores(const config::Settings& settings, ServiceSettings* result,
                       std::vector<config::Problem>* problems) {
  for (StoreSettings& store : result->stores) {
    if (!settings.Names("stores").empty()) {
      store.require_fencing = settings.Bool(fmt::format("stores.{}.require_fencing", store.name));
      store.lock_backends = settings.List(fmt::format("stores.{}.lock_backends", store.name));
    }
    if (store.lock_backends.empty()) continue;
    if (std::string complaint = Complaint(*result, store.lock_backends); !complaint.empty()) {
      problems->push_back({fmt::format("setting stores.{}.lock_backends", store.name), std::move(complaint)});
    }
  }
}

bool KeepsOnlyLocks(const ServiceSettings& settings, std::string_view backend) {
  return std::any_of(settings.stores.begin(), settings.stores.end(), [&](const StoreSettings& store) {
    return std::find(store.lock_backends.begin(), store.lock_backends.end(), backend) != store.lock_backends.end();
  });
}

}  // namespace holdfast::service
