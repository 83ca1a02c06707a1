#include "service/settings_write.h"

#include <fmt/format.h>

#include <array>

#include "service/setting_rows.h"
#include "service/settings_failover.h"
#include "service/store_rows.h"

namespace holdfast::service {
namespace {

// What says how a queue is used that takes writes.
constexpr std::array kRows = {"write_queue_entries", "write_queue_bytes",    "write_back_delay",  "write_call_timeout",
                              "write_retry_max",     "write_lookup_timeout", "write_conflict_ttl"};

class Reader : private StoreRows {
 public:
  Reader(const config::Settings& settings, ServiceSettings* result, std::vector<config::Problem>* problems)
      : StoreRows(settings, result, problems) {}

  void Read(StoreSettings& store) {
    store_ = &store;
    const std::string mode = settings_.String(Row("write"));
    if (mode == "through") {
      for (const char* of : kRows) {
        if (settings_.IsSet(Row(of)))
          Add(of, "has no meaning with write: through; say behind or back, or leave it out");
      }
      if (!settings_.IsSet(Row("write_queue"))) return;
    }
    if (!store.cache) {
      if (mode == "through") return Add("write_queue", "is for stores with a cache; name one there, or leave it out");
      return Add("write", fmt::format("{} is for stores with a cache; name one there", mode));
    }
    if (const BackendSettings* const record = Find(store.backend);
        record != nullptr && std::holds_alternative<storage::RedisOptions>(record->options)) {
      return Add(mode == "through" ? "write_queue" : "write",
                 fmt::format("backend {} is a redis, whose versions leave no room above them for those of writes that "
                             "wait; leave write and write_queue out",
                             store.backend));
    }
    if (mode == "behind" && settings_.IsSet(Row("write_back_delay"))) {
      Add("write_back_delay", "has no meaning with write: behind; say back, or leave it out");
    }
    const std::string name = settings_.String(Row("write_queue"));
    BackendSettings* const queue = Find(name);
    if (queue == nullptr) {
      return Add("write_queue", name.empty()
                                    ? fmt::format("is missing: write {} keeps what it acknowledges in a rocksdb "
                                                  "backend; name one",
                                                  mode)
                                    : fmt::format("there is no backend \"{}\"; name one of the backends", name));
    }
    CheckQueue(*queue);
    MakeRoomForCopies(store, queue);
    store.write_queue = WriteQueueSettings{name, OptionsOf(mode)};
  }

 private:
  composition::WriteBehindOptions OptionsOf(const std::string& mode) const {
    composition::WriteBehindOptions options;
    options.queue.range = storage::KeyRange::Prefix(store_->name + '\0');
    options.queue.max_entries = Number("write_queue_entries");
    options.queue.max_bytes = static_cast<std::size_t>(settings_.Bytes(Row("write_queue_bytes")));
    if (mode == "back") options.queue.delay = Time("write_back_delay");
    options.takes = mode != "through";
    options.queue.conflict_ttl =
        std::chrono::duration_cast<std::chrono::hours>(settings_.Duration(Row("write_conflict_ttl")));
    options.drain.call_timeout = Time("write_call_timeout");
    options.drain.retry_max = Time("write_retry_max");
    options.lookup_timeout = Time("write_lookup_timeout");
    return options;
  }

  void CheckQueue(const BackendSettings& queue) {
    if (queue.name == store_->backend) {
      Add("write_queue", "is the backend of the store itself, which would be written twice; name another one");
    }
    if (KeepsOnlyLocks(result_, queue.name) || IsReplica(result_, queue.name) || MovesOn(result_, queue.name)) {
      Add("write_queue",
          fmt::format("backend {} keeps locks or replicas, or is part of a move; name another one", queue.name));
    }
    const auto* const memory = std::get_if<storage::MemoryOptions>(&queue.options);
    if (memory != nullptr && memory->eviction != storage::Eviction::kNone) {
      Add("write_queue", fmt::format("backend {} evicts entries, and a write that is evicted is lost; set "
                                     "backends.{}.eviction to none, or name a rocksdb backend",
                                     queue.name, queue.name));
    }
    if (memory == nullptr && !std::holds_alternative<storage::RocksDbOptions>(queue.options)) {
      Add("write_queue", fmt::format("backend {} can be reached by several instances, which would bring each other's "
                                     "writes; name a rocksdb backend, which each instance has for itself",
                                     queue.name));
    }
  }
};

}  // namespace

void AddWriteQueue(std::vector<config::Setting>* rows) {
  rows->insert(
      rows->end(),
      {
          Choice(
              "stores.*.write", "through", {"through", "behind", "back"},
              "cache: when a write is acknowledged. through: when `backend` has it. behind: when it is in "
              "`write_queue`, from where each is brought to `backend` at once. back: the same, and what is written to "
              "a key within `write_back_delay` is brought as one. Only puts and deletes without preconditions are "
              "queued; everything else goes to `backend`, behind what is queued of its keys."),
          Text(
              "stores.*.write_queue", "",
              "write behind, back: backend of this instance alone that keeps what was acknowledged until `backend` has "
              "it: rocksdb, on a volume that outlives the pod. With memory the queue is gone with the process "
              "(capabilities.durable_ack is false). write through: what waits there is still brought, and nothing new "
              "is queued; leave it out when nothing does."),
          Integer("stores.*.write_queue_entries", "100000", 1, 100'000'000,
                  "write behind, back: writes that wait at most; with more, writes wait for room until their deadline "
                  "and are 503 then."),
          Bytes("stores.*.write_queue_bytes", "64Mi", kMi, 64 * kGi,
                "write behind, back: the same for their keys and values, which are in memory as well."),
          Duration("stores.*.write_back_delay", "1s", kMillisecond, kHour,
                   "write back: how long a write waits for the next one of its key."),
          Duration("stores.*.write_call_timeout", "5s", 10 * kMillisecond, kHour,
                   "write behind, back: longest call that brings writes to `backend`."),
          Duration("stores.*.write_retry_max", "5s", 100 * kMillisecond, kHour,
                   "write behind, back: longest pause before what `backend` did not take is tried again."),
          Duration(
              "stores.*.write_lookup_timeout", "250ms", kMillisecond, 60 * kSecond,
              "write behind, back over postgres: how long a write waits to hear what stands under its key, and what "
              "has to come behind queued writes waits for those while `backend` does not take them."),
          Duration("stores.*.write_conflict_ttl", "720h", kHour, 365 * 24 * kHour,
                   "write behind, back: how long a write is kept that lost against what somebody else had written."),
      });
}

void ReadWriteQueuesOfStores(const config::Settings& settings, ServiceSettings* result,
                             std::vector<config::Problem>* problems) {
  if (settings.Names("stores").empty()) return;
  Reader reader(settings, result, problems);
  for (StoreSettings& store : result->stores) reader.Read(store);
}

}  // namespace holdfast::service
