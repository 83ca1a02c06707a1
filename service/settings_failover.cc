#include "service/settings_failover.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "service/setting_rows.h"
#include "service/storage/key_space.h"
#include "service/store_rows.h"

namespace holdfast::service {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr std::array kRows = {"failover_mode",          "failover_sole_instance", "failover_probe_interval",
                              "failover_probe_timeout", "failover_failures",      "failover_successes",
                              "failover_call_timeout",  "failover_max_lag",       "failover_queue_keys",
                              "failover_queue_bytes",   "failover_journal_keys",  "failover_conflict_ttl"};

template <typename Options>
bool Is(const BackendSettings& backend) {
  return std::holds_alternative<Options>(backend.options);
}

class Reader : private StoreRows {
 public:
  Reader(const config::Settings& settings, ServiceSettings* result, std::vector<config::Problem>* problems)
      : StoreRows(settings, result, problems) {}

  void Read(StoreSettings& store) {
    store_ = &store;
    const std::string name = settings_.String(Row("failover"));
    if (name.empty()) {
      for (const char* of : kRows) {
        if (settings_.IsSet(Row(of))) Add(of, "has no meaning without failover; name a backend there or leave it out");
      }
      return;
    }
    FailoverSettings failover{name, OptionsOf(name)};
    BackendSettings* const secondary = Find(name);
    const BackendSettings* const primary = Find(store.backend);
    if (secondary == nullptr) {
      return Add("failover", fmt::format("there is no backend \"{}\"; name one of the backends", name));
    }
    if (primary == nullptr) return;  // which has been said
    CheckPlace(*secondary, *primary);
    CheckPrimary(*primary);
    CheckSecondary(*secondary, *primary, failover.options.mode == composition::FailoverMode::kReadWrite);
    MakeRoomForCopies(store, secondary);
    store.failover = std::move(failover);
  }

 private:
  composition::FailoverOptions OptionsOf(const std::string& secondary) const {
    composition::FailoverOptions options;
    options.primary = store_->backend;
    options.secondary = secondary;
    const bool writes = settings_.String(Row("failover_mode")) == "read_write";
    options.mode = writes ? composition::FailoverMode::kReadWrite : composition::FailoverMode::kReadOnly;
    options.probe_interval = Time("failover_probe_interval");
    options.probe_timeout = Time("failover_probe_timeout");
    options.failures = static_cast<int>(settings_.Integer(Row("failover_failures")));
    options.successes = static_cast<int>(settings_.Integer(Row("failover_successes")));
    options.call_timeout = Time("failover_call_timeout");
    options.max_lag = Time("failover_max_lag");
    options.copier.range = storage::KeyRange::Prefix(store_->name + '\0');
    options.copier.queue.keys = Number("failover_queue_keys");
    options.copier.queue.bytes = static_cast<std::size_t>(settings_.Bytes(Row("failover_queue_bytes")));
    options.journal.range = options.copier.range;
    options.journal.max_entries = Number("failover_journal_keys");
    options.journal.conflict_ttl = duration_cast<std::chrono::hours>(settings_.Duration(Row("failover_conflict_ttl")));
    return options;
  }

  void CheckPlace(const BackendSettings& secondary, const BackendSettings& primary) {
    if (&secondary == &primary) Add("failover", "is the backend of the store itself; name another one");
    if (store_->cache) {
      Add("failover",
          "cannot be had beside cache: a copy could not tell which of two backends it is of; leave one out");
    }
    if (KeepsOnlyLocks(result_, secondary.name)) {
      Add("failover", fmt::format("backend {} keeps the locks of a store; name another one", secondary.name));
    }
  }

  void CheckPrimary(const BackendSettings& primary) {
    if (Is<storage::RedisOptions>(primary)) {
      Add("failover", fmt::format("backend {} is a redis, which may lose what it acknowledged when it fails, and the "
                                  "copy would not; leave it out",
                                  primary.name));
    }
  }

  void CheckSecondary(const BackendSettings& secondary, const BackendSettings& primary, bool writes) {
    const bool sole = settings_.Bool(Row("failover_sole_instance"));
    const bool own = Is<storage::RocksDbOptions>(secondary) || Is<storage::MemoryOptions>(secondary);
    const auto* const memory = std::get_if<storage::MemoryOptions>(&secondary.options);
    if (memory != nullptr && memory->eviction != storage::Eviction::kNone) {
      Add("failover", fmt::format("backend {} evicts entries, which would then seem not to be there; set "
                                  "backends.{}.eviction to none",
                                  secondary.name, secondary.name));
    }
    if (!own && !sole) {
      Add("failover",
          fmt::format("backend {} can be reached by several instances, which would overwrite each other's copies; give "
                      "each instance a rocksdb or memory backend of its own, or say failover_sole_instance: true where "
                      "there is one instance",
                      secondary.name));
    }
    if (!writes) return;
    if (memory != nullptr || Is<storage::RedisOptions>(secondary)) {
      Add("failover_mode", fmt::format("read_write needs a secondary that loses no write it acknowledged; backend {} "
                                       "is no rocksdb and no postgres",
                                       secondary.name));
    }
    if (Is<storage::PostgresOptions>(primary) && !sole) {
      Add("failover_mode",
          fmt::format("read_write is for one instance: others would not see what this one takes, and go on writing to "
                      "backend {}; leave it read_only, or say failover_sole_instance: true where there is one instance",
                      primary.name));
    }
  }
};

}  // namespace

void MakeRoomForCopies(const StoreSettings& store, BackendSettings* backend) {
  std::visit(
      [&store](auto& options) {
        storage::Limits& limits = options.limits;
        limits.max_key_bytes = 2 * (store.limits.max_key_bytes + storage::kReservedKeyBytes);
        limits.max_value_bytes = store.limits.max_value_bytes + store.limits.max_metadata_bytes +
                                 store.limits.max_tags * (store.limits.max_tag_bytes + sizeof(std::uint32_t)) +
                                 static_cast<std::size_t>(64 * kKi);
      },
      backend->options);
}

void AddFailover(std::vector<config::Setting>* rows) {
  rows->insert(
      rows->end(),
      {
          Text("stores.*.failover", "",
               "Backend that answers while `backend` (postgres, rocksdb, memory) does not take writes: the secondary. "
               "What `backend` acknowledges is copied there, a little later. Not beside cache."),
          Choice(
              "stores.*.failover_mode", "read_only", {"read_only", "read_write"},
              "failover: what is served from the secondary. read_only: reads from its copy, writes are 503. "
              "read_write: also puts and deletes of keys without preconditions, which are replayed to `backend` when "
              "it is back, unless the key changed there: then they are kept as conflicts."),
          Flag("stores.*.failover_sole_instance", "false",
               "failover: no other instance serves this store. Needed for read_write over postgres, and for a "
               "secondary that others can reach."),
          Duration("stores.*.failover_probe_interval", "500ms", 10 * kMillisecond, 60 * kSecond,
                   "failover: how often `backend` is asked to take a write."),
          Duration("stores.*.failover_probe_timeout", "500ms", 10 * kMillisecond, 60 * kSecond,
                   "failover: a probe that takes longer has failed."),
          Integer("stores.*.failover_failures", "3", 1, 1'000,
                  "failover: probes in a row that fail, then it switches."),
          Integer("stores.*.failover_successes", "10", 1, 100'000,
                  "failover: probes in a row that succeed, then `backend` serves again."),
          Duration("stores.*.failover_call_timeout", "2s", 10 * kMillisecond, kHour,
                   "failover: longest call to `backend` but for counts and deletes of a range, so that one that hangs "
                   "holds up nobody behind a switch. A read is 504 deadline_exceeded then, a write 504 "
                   "outcome_unknown."),
          Duration("stores.*.failover_max_lag", "60s", 0, 100 * 365 * 24 * kHour,
                   "failover: with a copy that is further behind when `backend` is lost there is no switch."),
          Integer("stores.*.failover_queue_keys", "100000", 1, 100'000'000,
                  "failover: changed keys that wait to be copied; with more, `backend` and copy are compared anew."),
          Bytes("stores.*.failover_queue_bytes", "64Mi", kMi, 64 * kGi, "failover: the same for their bytes."),
          Integer("stores.*.failover_journal_keys", "100000", 1, 100'000'000,
                  "failover_mode read_write: keys whose writes wait for `backend`; further ones are 503."),
          Duration("stores.*.failover_conflict_ttl", "720h", kHour, 365 * 24 * kHour,
                   "failover_mode read_write: how long a write that `backend` did not take is kept."),
      });
}

void ReadFailoverOfStores(const config::Settings& settings, ServiceSettings* result,
                          std::vector<config::Problem>* problems) {
  if (settings.Names("stores").empty()) return;
  Reader reader(settings, result, problems);
  for (StoreSettings& store : result->stores) reader.Read(store);
}

}  // namespace holdfast::service
