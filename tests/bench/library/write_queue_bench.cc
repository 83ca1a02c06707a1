// What a queue of writes buys a store, and how fast it leaves, in process:
//
//   bench_write_queue FOLDER [--seconds N]    prints rows for docs/performance.md and exits 0 whatever they say
//
// Many threads put keys of their own, each one behind the other, for as long as is said: first through a tiered store
// to its system of record, then behind, into a queue in RocksDB with an fsync for each batch. Both on fresh backends of
// the same kind: RocksDB with an fsync, and memory that answers every call after the time that a server takes. Then
// nothing is written any more, and it is measured how long what waits takes to be brought. Times are of the wall clock.
#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <thread>

#include "service/backends/memory/memory_backend.h"
#include "service/backends/rocksdb/rocksdb_backend.h"
#include "service/composition/tiered_backend.h"
#include "service/composition/write_behind_backend.h"
#include "service/storage/forwarding_backend.h"
#include "tests/bench/library/measuring.h"

namespace holdfast::bench {
namespace {

using storage::Backend;
using storage::Operation;
using storage::OperationResult;
using Steady = std::chrono::steady_clock;

constexpr std::size_t kThreads = 16;
constexpr std::size_t kKeysOfAThread = 1'000;
constexpr std::size_t kValueBytes = 100;
// More than are written, so that the queue is never what is measured in place of the record.
constexpr std::size_t kMostQueued = 10'000'000;
constexpr std::size_t kMostQueuedBytes = std::size_t{4} << 30;
constexpr std::chrono::milliseconds kServer{2};
constexpr std::chrono::milliseconds kLook{1};

// As a server does that takes this long for a call, however many operations it has.
class DelayedBackend : public storage::ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;
  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) override {
    std::this_thread::sleep_for(kServer);
    ForwardingBackend::Execute(operations, results, deadline);
  }
};

std::shared_ptr<Backend> OpenRocksDb(const std::string& path, const storage::Limits& limits = {}) {
  storage::RocksDbOptions options;
  options.path = path;
  options.limits = limits;
  options.durability = storage::Durability::kSync;
  auto opened = storage::OpenRocksDbBackend(options);
  if (!opened.ok()) fmt::print(stderr, "{}\n", opened.error().message());
  Check(opened.ok());
  return std::move(opened).value();
}

std::shared_ptr<Backend> Tiered(const std::shared_ptr<Backend>& record) {
  auto tiered = std::make_shared<composition::TieredBackend>(storage::MakeMemoryBackend({}), record,
                                                             composition::TieredOptions{});
  tiered->SetChangeListener(nullptr);
  return tiered;
}

// Acknowledged puts a second.
double PutRate(Backend& store, std::chrono::seconds duration) {
  std::atomic<std::uint64_t> acknowledged{0};
  const auto begin = Steady::now();
  {
    std::vector<std::jthread> threads;
    for (std::size_t thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        std::uint64_t done = 0;
        for (; Steady::now() - begin < duration; ++done) {
          const Operation put = Operation::Put(fmt::format("user:{:02}:{:06}", thread, done % kKeysOfAThread),
                                               std::string(kValueBytes, static_cast<char>('a' + done % 26)));
          Check(ExecuteOne(store, put, Deadline::Infinite()).status.ok());
        }
        acknowledged += done;
      });
    }
  }
  const std::chrono::duration<double> took = Steady::now() - begin;
  return static_cast<double>(acknowledged) / took.count();
}

struct Behind {
  double acknowledged = 0;  // puts a second
  double meanwhile = 0;     // brought a second while they were written
  std::uint64_t left = 0;   // that waited when nothing was written any more
  double afterwards = 0;    // brought a second from then on
};

Behind MeasureBehind(const std::shared_ptr<Backend>& record, const std::string& queue, std::chrono::seconds duration) {
  storage::Limits rows;
  rows.max_value_bytes *= 2;
  composition::WriteBehindOptions options;
  options.queue.max_entries = kMostQueued;
  options.queue.max_bytes = kMostQueuedBytes;
  composition::WriteBehindBackend store(Tiered(record), OpenRocksDb(queue, rows), options);
  Check(store.Start(Deadline::Infinite()).ok());
  Behind behind;
  const auto begin = Steady::now();
  behind.acknowledged = PutRate(store, duration);
  const storage::WriteQueueStatus then = store.status();
  const auto written = Steady::now();
  behind.meanwhile = static_cast<double>(then.drained) / std::chrono::duration<double>(written - begin).count();
  behind.left = then.entries;
  while (store.status().entries > 0) std::this_thread::sleep_for(kLook);
  const std::chrono::duration<double> took = Steady::now() - written;
  behind.afterwards = static_cast<double>(behind.left) / took.count();
  Check(store.status().conflicts == 0);
  return behind;
}

void Compare(std::string_view label, const std::function<std::shared_ptr<Backend>(const std::string& name)>& open,
             const std::string& queue, std::chrono::seconds duration) {
  const double through = PutRate(*Tiered(open("through")), duration);
  const Behind behind = MeasureBehind(open("behind"), queue, duration);
  fmt::print("| {} | {:.0f} | {:.0f} | {:.2f} x | {:.0f} | {} | {:.0f} |\n", label, through, behind.acknowledged,
             behind.acknowledged / through, behind.meanwhile, behind.left, behind.afterwards);
}

int Run(const std::string& folder, std::chrono::seconds duration) {
  fmt::print(
      "| 100 bytes, {} threads, {} s each | through, puts/s | behind, puts/s | ratio | brought/s meanwhile | left | "
      "brought/s afterwards |\n|---|---:|---:|---:|---:|---:|---:|\n",
      kThreads, duration.count());
  Compare(
      "rocksdb, an fsync for each batch", [&](const std::string& name) { return OpenRocksDb(folder + "/" + name); },
      folder + "/queue-of-rocksdb", duration);
  Compare(
      fmt::format("memory that answers after {} ms", kServer.count()),
      [](const std::string&) { return std::make_shared<DelayedBackend>(storage::MakeMemoryBackend({})); },
      folder + "/queue-of-server", duration);
  return 0;
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) {
  if (argc != 2 && !(argc == 4 && std::string_view(argv[2]) == "--seconds")) {
    fmt::print(stderr, "usage: bench_write_queue FOLDER [--seconds N]\n");
    return 2;
  }
  return holdfast::bench::Run(argv[1], std::chrono::seconds{argc == 4 ? std::max(1, std::atoi(argv[3])) : 5});
}
