#include "service/settings_composition.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "service/setting_rows.h"
#include "service/storage/key_space.h"
#include "service/store_rows.h"

namespace holdfast::service {
namespace {

constexpr std::array kRowsOfACache = {"cache_ttl",      "cache_ttl_policy", "cache_ttl_min",       "cache_negative_ttl",
                                      "cache_timeout",  "cache_max_value",  "cache_max_staleness", "warm_prefixes",
                                      "warm_namespace", "warm_entries",     "warm_bytes",          "warm_rate",
                                      "warm_time"};

// Why this backend cannot be a cache; empty when it can.
std::string WhyNoCache(const BackendSettings& cache) {
  const auto* memory = std::get_if<storage::MemoryOptions>(&cache.options);
  if (memory == nullptr) return "";
  if (memory->max_bytes == 0) {
    return fmt::format("backend {} would grow without bound; set backends.{}.max_bytes", cache.name, cache.name);
  }
  if (memory->eviction == storage::Eviction::kNone) {
    return fmt::format("backend {} refuses what is new when it is full; set backends.{}.eviction to lru, lfu or ttl",
                       cache.name, cache.name);
  }
  return "";
}

}  // namespace

void AddComposition(std::vector<config::Setting>* rows) {
  rows->insert(
      rows->end(),
      {
          Text("stores.*.cache", "",
               "Backend that keeps copies of what is read from `backend` (rocksdb, memory, postgres, redis but for a "
               "cluster): reads are answered from there as long as they are certain to be the newest, writes go "
               "through to `backend`. Its eviction says which copies give way."),
          Duration("stores.*.cache_ttl", "1h", kMillisecond, 100 * 365 * 24 * kHour,
                   "cache: how long a copy is kept at most."),
          Choice(
              "stores.*.cache_ttl_policy", "fixed", {"fixed", "adaptive"},
              "cache: fixed: every copy is kept for `cache_ttl`. adaptive: between `cache_ttl_min` and `cache_ttl`, by "
              "how often its key was asked for within the last `cache_ttl`; every doubling adds a tenth, 1024 times "
              "reach `cache_ttl`."),
          Duration("stores.*.cache_ttl_min", "1m", kMillisecond, 100 * 365 * 24 * kHour,
                   "cache_ttl_policy adaptive: how long a copy is kept that nobody asks for again."),
          Duration("stores.*.cache_negative_ttl", "10s", 0, 24 * kHour,
                   "cache: how long it is remembered that there is no such key; 0 = not at all."),
          Duration("stores.*.cache_timeout", "100ms", kMillisecond, 60 * kSecond,
                   "cache: longest call to it; then `backend` is asked."),
          Duration(
              "stores.*.cache_max_staleness", "2s", 50 * kMillisecond, kHour,
              "cache: where other instances write as well (postgres, redis) only reads with consistency=eventual are "
              "answered from copies, and never by what was replaced longer ago than this."),
          List("stores.*.warm_prefixes",
               "cache: prefixes of keys that are read into it at the start, in the background; of keys of "
               "`warm_namespace`."),
          Text("stores.*.warm_namespace", std::string(storage::kDefaultNamespace), "warm_prefixes: their namespace."),
          Integer("stores.*.warm_entries", "100000", 1, 100'000'000,
                  "cache: most entries that the start, and a request (?action=warm), read into it."),
          Bytes("stores.*.warm_bytes", "256Mi", 1, 1024 * kGi, "cache: the same for their keys and values."),
          Integer("stores.*.warm_rate", "10000", 1, 100'000'000,
                  "cache: entries a second that are read into it, so that warming leaves room for others."),
          Duration("stores.*.warm_time", "60s", kMillisecond, 24 * kHour,
                   "warm_prefixes: how long the start reads at most, while requests are served."),
          Bytes("stores.*.cache_max_value", "1Mi", 1, kGi, "cache: of larger values no copy is kept."),
      });
}

std::optional<CacheSettings> CacheOf(const config::Settings& settings, const StoreSettings& store,
                                     const std::vector<BackendSettings>& backends,
                                     std::vector<config::Problem>* problems) {
  const auto row = [&](std::string_view of) { return fmt::format("stores.{}.{}", store.name, of); };
  const auto add = [&](std::string_view of, std::string message) {
    problems->push_back({fmt::format("setting {}", row(of)), std::move(message)});
  };
  CacheSettings cache;
  cache.backend = settings.String(row("cache"));
  if (cache.backend.empty()) {
    for (const char* of : kRowsOfACache) {
      if (settings.IsSet(row(of))) add(of, "has no meaning without cache; name a backend there or leave it out");
    }
    return std::nullopt;
  }
  composition::CopyOptions& copies = cache.options.copies;
  copies.ttl = settings.Duration(row("cache_ttl"));
  const bool adaptive = settings.String(row("cache_ttl_policy")) == "adaptive";
  if (adaptive) copies.ttl_floor = settings.Duration(row("cache_ttl_min"));
  if (!adaptive && settings.IsSet(row("cache_ttl_min"))) {
    add("cache_ttl_min", "has no meaning with cache_ttl_policy: fixed; say adaptive, or leave it out");
  }
  if (copies.ttl_floor > copies.ttl) add("cache_ttl_min", "is above cache_ttl; lower it or raise cache_ttl");
  copies.negative_ttl = settings.Duration(row("cache_negative_ttl"));
  copies.timeout = settings.Duration(row("cache_timeout"));
  copies.max_value_bytes = static_cast<std::size_t>(settings.Bytes(row("cache_max_value")));

  cache.warm_limits = {static_cast<std::uint64_t>(settings.Integer(row("warm_entries"))),
                       static_cast<std::uint64_t>(settings.Bytes(row("warm_bytes"))),
                       static_cast<std::uint64_t>(settings.Integer(row("warm_rate")))};
  cache.warm_prefixes = settings.List(row("warm_prefixes"));
  cache.warm_namespace = settings.String(row("warm_namespace"));
  cache.warm_time = settings.Duration(row("warm_time"));
  if (!storage::IsValidNamespace(cache.warm_namespace)) {
    add("warm_namespace", "is no name of a namespace: 1 to 63 of a-z, 0-9 and '-', letters or digits at both ends");
  }
  const BackendSettings* const behind = FindBackend(backends, store.backend);
  const BackendSettings* const front = FindBackend(backends, cache.backend);
  if (front == nullptr) {
    add("cache", fmt::format("there is no backend \"{}\"; name one of the backends", cache.backend));
    return std::nullopt;
  }
  if (front == behind) add("cache", "is the backend of the store itself; name another one");
  if (std::string why = WhyNoCache(*front); !why.empty()) add("cache", std::move(why));
  cache.options.cache_shared = std::holds_alternative<storage::RedisOptions>(front->options) ||
                               std::holds_alternative<storage::PostgresOptions>(front->options);
  if (behind == nullptr) return cache;  // which has been said
  const auto* const redis = std::get_if<storage::RedisOptions>(&behind->options);
  if (redis != nullptr && redis->client.target.topology == redis::Target::Topology::kCluster) {
    add("cache", fmt::format("backend {} is a redis cluster, whose slots may change hands without the change feed of "
                             "each part being able to tell how far it is; leave it out, or use one server or sentinels",
                             store.backend));
  }
  cache.options.shared = redis != nullptr || std::holds_alternative<storage::PostgresOptions>(behind->options);
  cache.options.max_staleness = settings.Duration(row("cache_max_staleness"));
  if (!cache.options.shared && settings.IsSet(row("cache_max_staleness"))) {
    add("cache_max_staleness",
        fmt::format("has no meaning over backend {}, which nobody else writes to; leave it out", store.backend));
  }
  return cache;
}

}  // namespace holdfast::service
