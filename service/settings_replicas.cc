#include "service/settings_replicas.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "service/setting_rows.h"
#include "service/settings_failover.h"
#include "service/storage/key_space.h"
#include "service/store_rows.h"

namespace holdfast::service {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr std::size_t kMostReplicas = 9;
// What goes with a batch: the marker, and conflicts of keys that are mended.
constexpr std::size_t kOwnOperations = 16;
constexpr std::array kRows = {
    "replica_mode",           "replica_write_quorum",     "replica_read_quorum", "replica_call_timeout",
    "replica_retry_interval", "replica_queue_operations", "replica_queue_bytes", "replica_conflict_ttl",
    "replica_conflicts",      "replica_compare_interval", "replica_compare_rate"};

bool Names(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Whether the store has anything to do with the backend.
bool Uses(const StoreSettings& store, const std::string& backend) {
  return store.backend == backend || (store.cache && store.cache->backend == backend) ||
         (store.failover && store.failover->backend == backend) || (store.move && store.move->backend == backend) ||
         Names(store.lock_backends, backend) || (store.replicas && Names(store.replicas->backends, backend)) ||
         (store.write_queue && store.write_queue->backend == backend);
}

class Reader : private StoreRows {
 public:
  Reader(const config::Settings& settings, ServiceSettings* result, std::vector<config::Problem>* problems)
      : StoreRows(settings, result, problems) {}

  void Read(StoreSettings& store) {
    store_ = &store;
    const std::vector<std::string> further = settings_.List(Row("replicas"));
    if (further.empty()) {
      for (const char* of : kRows) {
        if (settings_.IsSet(Row(of))) Add(of, "has no meaning without replicas; name backends there or leave it out");
      }
      return;
    }
    ReplicaSettings replicas{{store.backend}, {}};
    replicas.backends.insert(replicas.backends.end(), further.begin(), further.end());
    const std::size_t problems = problems_.size();
    CheckBackends(replicas.backends);
    if (store.cache || store.failover || store.move) {
      Add("replicas", "cannot be had beside cache, failover or migrate_to; leave one out");
    }
    replicas.options = OptionsOf(replicas.backends.size());
    CheckQuorums(replicas.backends.size(), replicas.options);
    if (replicas.options.compare_interval.count() == 0 && settings_.IsSet(Row("replica_compare_rate"))) {
      Add("replica_compare_rate",
          "has no meaning without replica_compare_interval; say how often there, or leave it out");
    }
    if (problems_.size() > problems) return;
    for (const std::string& name : replicas.backends) MakeRoom(*Find(name));
    store.replicas = std::move(replicas);
  }

 private:
  void CheckBackends(const std::vector<std::string>& names) {
    if (names.size() > kMostReplicas) {
      Add("replicas",
          fmt::format("comes to {} replicas with `backend`; name at most {}", names.size(), kMostReplicas - 1));
    }
    for (const std::string& name : names) {
      if (std::count(names.begin(), names.end(), name) > 1) {
        return Add("replicas",
                   fmt::format("comes to backend {} twice, `backend` included; each replica needs its own", name));
      }
      if (std::string why = WhyNot(name); !why.empty()) Add("replicas", std::move(why));
    }
  }

  // Why the backend cannot be a replica of the store; empty when it can.
  std::string WhyNot(const std::string& name) {
    const BackendSettings* const backend = Find(name);
    if (backend == nullptr) return fmt::format("there is no backend \"{}\"; name one of the backends", name);
    const auto* const memory = std::get_if<storage::MemoryOptions>(&backend->options);
    if (memory == nullptr && !std::holds_alternative<storage::RocksDbOptions>(backend->options)) {
      return fmt::format(
          "backend {} can be reached by several instances, which would not agree on who decides; a replicated store is "
          "for one process and its own volumes: name rocksdb or memory backends",
          name);
    }
    if (memory != nullptr && memory->eviction != storage::Eviction::kNone) {
      return fmt::format(
          "backend {} evicts entries, which the other replicas would bring back; set "
          "backends.{}.eviction to none",
          name, name);
    }
    const bool used = std::any_of(result_.stores.begin(), result_.stores.end(), [&](const StoreSettings& other) {
      return other.name != store_->name && Uses(other, name);
    });
    if (used) return fmt::format("backend {} is that of another store; a replica belongs to one store alone", name);
    return "";
  }

  composition::ReplicaOptions OptionsOf(std::size_t replicas) const {
    const auto quorum = [&](std::string_view of) {
      return settings_.Integer(Row(of)) == 0 ? replicas / 2 + 1 : Number(of);
    };
    composition::ReplicaOptions options;
    options.store = store_->name;
    options.range = storage::KeyRange::Prefix(store_->name + '\0');
    options.eventual = settings_.String(Row("replica_mode")) == "eventual";
    options.write_quorum = quorum("replica_write_quorum");
    options.read_quorum = quorum("replica_read_quorum");
    options.call_timeout = Time("replica_call_timeout");
    options.retry_pause = Time("replica_retry_interval");
    options.start_patience = duration_cast<milliseconds>(settings_.Duration("health.start"));
    options.queue_operations = Number("replica_queue_operations");
    options.queue_bytes = static_cast<std::size_t>(settings_.Bytes(Row("replica_queue_bytes")));
    options.conflict_ttl = duration_cast<std::chrono::hours>(settings_.Duration(Row("replica_conflict_ttl")));
    options.max_conflicts = Number("replica_conflicts");
    options.compare_interval = Time("replica_compare_interval");
    options.compare_rate = Number("replica_compare_rate");
    return options;
  }

  void CheckQuorums(std::size_t replicas, const composition::ReplicaOptions& options) {
    for (const auto& [row, quorum] : {std::pair("replica_write_quorum", options.write_quorum),
                                      std::pair("replica_read_quorum", options.read_quorum)}) {
      if (quorum <= replicas) continue;
      return Add(row,
                 fmt::format("asks {} of {} replicas, `backend` included; lower it or name more", quorum, replicas));
    }
    if (options.eventual) return;
    if (options.read_quorum + options.write_quorum <= replicas) {
      Add("replica_read_quorum",
          fmt::format(
              "{} read and {} written of {} need not meet, so reads could miss what was acknowledged; raise one "
              "until they are more than {} together, or say replica_mode: eventual",
              options.read_quorum, options.write_quorum, replicas, replicas));
    }
    if (2 * options.write_quorum <= replicas) {
      Add("replica_write_quorum",
          fmt::format("{} of {} is no majority, so two starts could take different replicas for the store; raise it "
                      "above {}, or say replica_mode: eventual",
                      options.write_quorum, replicas, replicas / 2));
    }
  }

  void MakeRoom(BackendSettings& replica) {
    MakeRoomForCopies(*store_, &replica);
    std::visit(
        [this](auto& options) {
          options.limits.max_operations = storage::BackendLimits(store_->limits).max_operations + kOwnOperations;
        },
        replica.options);
  }
};

}  // namespace

void AddReplicas(std::vector<config::Setting>* rows) {
  rows->insert(
      rows->end(),
      {
          List("stores.*.replicas",
               "Further backends (rocksdb on volumes of their own, memory) that each hold everything the store has, as "
               "`backend` does. For one process; not beside cache, failover or migrate_to."),
          Choice(
              "stores.*.replica_mode", "quorum", {"quorum", "eventual"},
              "replicas: quorum: what is acknowledged is read, and survives the loss of fewer replicas than the write "
              "quorum. eventual: quorums need not meet; reads may show an earlier state, and what was acknowledged "
              "may be lost with the replicas that had it and is kept as a conflict when they come back."),
          Integer("stores.*.replica_write_quorum", "0", 0, kMostReplicas,
                  "replicas: how many have a write before it is acknowledged; 0 = a majority."),
          Integer(
              "stores.*.replica_read_quorum", "0", 0, kMostReplicas,
              "replicas: how many a get asks, and how many have to be there and whole for the store to start; 0 = a "
              "majority."),
          Duration("stores.*.replica_call_timeout", "2s", 10 * kMillisecond, kHour,
                   "replicas: one that takes longer to write is away; writes go on without it."),
          Duration("stores.*.replica_retry_interval", "500ms", kMillisecond, kHour,
                   "replicas: how often one that is away is asked again."),
          Integer("stores.*.replica_queue_operations", "100000", 1, 100'000'000,
                  "replicas: writes that wait for one that is away; with more, it is compared with the others when it "
                  "is back."),
          Bytes("stores.*.replica_queue_bytes", "64Mi", kMi, 64 * kGi, "replicas: the same for their bytes."),
          Duration("stores.*.replica_conflict_ttl", "720h", kHour, 365 * 24 * kHour,
                   "replicas: how long a write is kept that one replica had and the store has not."),
          Integer("stores.*.replica_conflicts", "10000", 0, 10'000'000,
                  "replicas: how many of these are kept of one comparison; further ones are only counted."),
          Duration("stores.*.replica_compare_interval", "0s", 0, 24 * kHour,
                   "replicas: how long behind one comparison of all replicas the next begins, in the background; 0 = "
                   "none. Rows that have changed behind the store's back are found and mended by it, also where "
                   "nobody reads them."),
          Integer("stores.*.replica_compare_rate", "10000", 1, 100'000'000,
                  "replica_compare_interval: rows a second that it reads of a replica at most."),
      });
}

void ReadReplicasOfStores(const config::Settings& settings, ServiceSettings* result,
                          std::vector<config::Problem>* problems) {
  if (settings.Names("stores").empty()) return;
  Reader reader(settings, result, problems);
  for (StoreSettings& store : result->stores) reader.Read(store);
}

bool IsReplica(const ServiceSettings& settings, std::string_view backend) {
  return std::any_of(settings.stores.begin(), settings.stores.end(), [&](const StoreSettings& store) {
    return store.replicas && Names(store.replicas->backends, std::string(backend));
  });
}

}  // namespace holdfast::service
