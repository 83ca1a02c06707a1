// What stores composed of backends cost and save, in process:
//
//   bench_composition FOLDER [--rounds N]    prints rows for docs/performance.md and exits 0 whatever they say
//
// - a get that the cache of a tiered store answers, beside the same get of the cache's backend alone, and of the system
//   of record alone;
// - a get and a put behind a guard with all that it has (timeout, circuit, retries, bulkhead), beside the backend
// alone;
// - a get whose calls could have spans, of a request that is not traced, beside the backend alone;
// - a key that many threads miss in the cache at once: how often the system of record is asked;
// - a backend that is down, called by many: how many calls it gets with attempts and a budget for them;
// - the same behind an open circuit: how long a refusal takes.
//
// The sides take turns; times are processor time of the calling threads.
#include <fmt/format.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>

#include "service/backends/memory/memory_backend.h"
#include "service/backends/rocksdb/rocksdb_backend.h"
#include "service/composition/tiered_backend.h"
#include "service/resilience/resilient_backend.h"
#include "service/storage/forwarding_backend.h"
#include "service/tracing/traced_backend.h"
#include "tests/bench/library/measuring.h"

namespace holdfast::bench {
namespace {

using storage::Backend;
using storage::Operation;
using storage::OperationResult;

constexpr std::size_t kKeys = 10'000;
constexpr std::size_t kValueBytes = 100;
constexpr std::size_t kCallsPerRound = 200'000;
constexpr std::size_t kStorms = 50;
constexpr std::size_t kThreads = 64;
constexpr std::size_t kCallsOfADownBackend = 10'000;
constexpr std::chrono::milliseconds kSlowRead{5};
constexpr int kAttempts = 3;

std::string KeyOf(std::size_t i) {
  return fmt::format("user:{:08}", i);
}

void PutAll(Backend& backend) {
  for (std::size_t i = 0; i < kKeys; ++i) {
    const Operation put = Operation::Put(KeyOf(i), std::string(kValueBytes, static_cast<char>('a' + i % 26)));
    Check(ExecuteOne(backend, put, Deadline::Infinite()).status.ok());
  }
}

std::vector<std::string> InRandomOrder() {
  std::mt19937 random(1);
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < kCallsPerRound; ++i) keys.push_back(KeyOf(random() % kKeys));
  return keys;
}

double GetTime(Backend& backend, const std::vector<std::string>& keys) {
  return NanosecondsPerCall(1, keys.size(), [&](std::size_t) {
    Operation get = Operation::Get({});
    OperationResult result;
    for (const std::string& key : keys) {
      get.key = key;
      backend.Execute(std::span(&get, 1), std::span(&result, 1), Deadline::Infinite());
      Check(result.entry && result.entry->value.size() == kValueBytes);
    }
  });
}

double PutTime(Backend& backend, const std::vector<std::string>& keys) {
  return NanosecondsPerCall(1, keys.size(), [&](std::size_t) {
    Operation put = Operation::Put({}, std::string(kValueBytes, 'z'));
    OperationResult result;
    for (const std::string& key : keys) {
      put.key = key;
      backend.Execute(std::span(&put, 1), std::span(&result, 1), Deadline::Infinite());
      Check(result.status.ok());
    }
  });
}

// In turns.
struct Compared {
  std::vector<double> alone;
  std::vector<double> composed;

  void Print(std::string_view label) const {
    const double before = Median(alone);
    const double after = Median(composed);
    fmt::print("| {} | {:.0f} ns | {:.0f} ns | {:+.0f} ns | {:.2f} x |\n", label, before, after, after - before,
               before / after);
  }
};

std::shared_ptr<Backend> OpenRocksDb(const std::string& path) {
  storage::RocksDbOptions options;
  options.path = path;
  options.durability = storage::Durability::kOs;
  auto opened = storage::OpenRocksDbBackend(options);
  if (!opened.ok()) fmt::print(stderr, "{}\n", opened.error().message());
  Check(opened.ok());
  return std::move(opened).value();
}

void CompareTiered(const std::string& folder, int rounds, const std::vector<std::string>& keys) {
  const std::shared_ptr<Backend> cache = storage::MakeMemoryBackend({});
  PutAll(*cache);
  const std::shared_ptr<Backend> record = OpenRocksDb(folder + "/record");
  PutAll(*record);
  composition::TieredBackend tiered(storage::MakeMemoryBackend({}), OpenRocksDb(folder + "/tiered"), {});
  tiered.SetChangeListener(nullptr);
  PutAll(tiered);
  GetTime(tiered, keys);  // copies of all
  const std::uint64_t missed = tiered.statistics().cache_misses;
  Compared with_cache;
  Compared with_record;
  for (int round = 0; round < rounds; ++round) {
    with_cache.alone.push_back(GetTime(*cache, keys));
    with_record.alone.push_back(GetTime(*record, keys));
    with_cache.composed.push_back(GetTime(tiered, keys));
    with_record.composed.push_back(with_cache.composed.back());
  }
  Check(tiered.statistics().cache_misses == missed);
  with_cache.Print("get, the cache answers: memory alone, tiered over rocksdb");
  with_record.Print("get, the cache answers: rocksdb alone, tiered over rocksdb");
}

resilience::Options AllOfThem() {
  resilience::Options options;
  options.timeout = std::chrono::seconds{2};
  options.breaker = true;
  options.attempts = kAttempts;
  options.bulkhead.emplace();
  return options;
}

void CompareGuarded(int rounds, const std::vector<std::string>& keys) {
  const std::shared_ptr<Backend> alone = storage::MakeMemoryBackend({});
  PutAll(*alone);
  const std::shared_ptr<Backend> guarded =
      resilience::MakeResilientBackend(alone, std::make_shared<resilience::Guard>("memory", AllOfThem()));
  Compared gets;
  Compared puts;
  for (int round = 0; round < rounds; ++round) {
    gets.alone.push_back(GetTime(*alone, keys));
    gets.composed.push_back(GetTime(*guarded, keys));
    puts.alone.push_back(PutTime(*alone, keys));
    puts.composed.push_back(PutTime(*guarded, keys));
  }
  gets.Print("get: memory alone, behind timeout, circuit, retries and bulkhead");
  puts.Print("put: the same");
}

// What most requests pay for the spans of others.
void CompareUntraced(int rounds, const std::vector<std::string>& keys) {
  class NoSpans final : public tracing::SpanSink {
   public:
    bool Sample() override { return false; }
    void SetSamplePercent(int /*percent*/) override {}
    void Record(tracing::Span /*span*/) override { Check(false); }
  };
  constexpr std::uint64_t kMaxCalls = 64;
  const std::shared_ptr<Backend> alone = storage::MakeMemoryBackend({});
  PutAll(*alone);
  const auto told = tracing::MakeTracedBackend(alone, "memory", std::make_shared<NoSpans>(), kMaxCalls);
  Compared gets;
  for (int round = 0; round < rounds; ++round) {
    gets.alone.push_back(GetTime(*alone, keys));
    gets.composed.push_back(GetTime(*told, keys));
  }
  gets.Print("get: memory alone, with spans of calls, for a request that is not traced");
}

// Counts the calls; as slow as it is told, and down if it is told.
class CountedBackend : public storage::ForwardingBackend {
 public:
  CountedBackend(std::shared_ptr<Backend> backend, std::chrono::milliseconds delay, bool down)
      : ForwardingBackend(std::move(backend)), delay_(delay), down_(down) {}

  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) override {
    calls_.fetch_add(1, std::memory_order_relaxed);
    if (down_) return storage::FailAll(results, Error(ErrorCode::kUnavailable, "it is down"));
    std::this_thread::sleep_for(delay_);
    ForwardingBackend::Execute(operations, results, deadline);
  }
  std::uint64_t calls() const { return calls_.load(std::memory_order_relaxed); }

 private:
  const std::chrono::milliseconds delay_;
  const bool down_;
  std::atomic<std::uint64_t> calls_{0};
};

// All at once.
void OfManyThreads(const std::function<void()>& call) {
  std::barrier start(static_cast<std::ptrdiff_t>(kThreads));
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      start.arrive_and_wait();
      call();
    });
  }
}

void StormAColdKey() {
  const std::shared_ptr<Backend> record = storage::MakeMemoryBackend({});
  PutAll(*record);
  const auto counted = std::make_shared<CountedBackend>(record, kSlowRead, false);
  composition::TieredBackend tiered(storage::MakeMemoryBackend({}), counted, {});
  tiered.SetChangeListener(nullptr);
  for (std::size_t storm = 0; storm < kStorms; ++storm) {
    OfManyThreads(
        [&] { Check(ExecuteOne(tiered, Operation::Get(KeyOf(storm)), Deadline::Infinite()).entry != nullptr); });
  }
  fmt::print("- {} storms of {} gets of one cold key: {:.2f} reads of the system of record each, {} without a cache\n",
             kStorms, kThreads, static_cast<double>(counted->calls()) / static_cast<double>(kStorms), kThreads);
}

void StormADownBackend() {
  resilience::Options options;
  options.attempts = kAttempts;
  options.backoff = BackoffPolicy{std::chrono::milliseconds{1}, std::chrono::milliseconds{1}, 1.0};
  const auto down =
      std::make_shared<CountedBackend>(storage::MakeMemoryBackend({}), std::chrono::milliseconds{0}, true);
  const auto guarded = resilience::MakeResilientBackend(down, std::make_shared<resilience::Guard>("down", options));
  const auto begin = std::chrono::steady_clock::now();
  constexpr std::size_t kEach = kCallsOfADownBackend / kThreads;
  OfManyThreads([&] {
    for (std::size_t i = 0; i < kEach; ++i) {
      Check(!ExecuteOne(*guarded, Operation::Get("key"), Deadline::Infinite()).status.ok());
    }
  });
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  constexpr std::size_t kCalls = kEach * kThreads;
  const double allowed = options.budget.burst + static_cast<double>(kCalls) * options.budget.percent / 100 +
                         took.count() * options.budget.per_second;
  fmt::print(
      "- {} calls of a backend that is down, up to {} attempts each: it got {} calls ({:.2f} for each; the budget "
      "allows "
      "{:.0f} retries, there were {}), without a budget {}\n",
      kCalls, kAttempts, down->calls(), static_cast<double>(down->calls()) / static_cast<double>(kCalls), allowed,
      down->calls() - kCalls, kCalls * kAttempts);
}

void RefuseBehindAnOpenCircuit() {
  resilience::Options options;
  options.breaker = true;
  options.circuit.open_time = std::chrono::hours{1};
  const auto down =
      std::make_shared<CountedBackend>(storage::MakeMemoryBackend({}), std::chrono::milliseconds{0}, true);
  const auto guarded = resilience::MakeResilientBackend(down, std::make_shared<resilience::Guard>("down", options));
  const auto refused = [&] { Check(!ExecuteOne(*guarded, Operation::Get("key"), Deadline::Infinite()).status.ok()); };
  for (std::uint64_t i = 0; i < options.circuit.min_operations; ++i) refused();
  const std::uint64_t until_open = down->calls();
  const double refusal = NanosecondsPerCall(1, kCallsOfADownBackend, [&](std::size_t) {
    for (std::size_t i = 0; i < kCallsOfADownBackend; ++i) refused();
  });
  Check(down->calls() == until_open);
  fmt::print("- its circuit opens after {} calls that fail; a refusal takes {:.0f} ns from then on (aim: below 1 ms)\n",
             until_open, refusal);
}

int Run(const std::string& folder, int rounds) {
  const std::vector<std::string> keys = InRandomOrder();
  fmt::print(
      "| 100 bytes, {} keys, in process, 1 thread | alone | composed | difference | ratio "
      "|\n|---|---:|---:|---:|---:|\n",
      kKeys);
  CompareTiered(folder, rounds, keys);
  CompareGuarded(rounds, keys);
  CompareUntraced(rounds, keys);
  fmt::print("\n");
  StormAColdKey();
  StormADownBackend();
  RefuseBehindAnOpenCircuit();
  return 0;
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) {
  if (argc != 2 && !(argc == 4 && std::string_view(argv[2]) == "--rounds")) {
    fmt::print(stderr, "usage: bench_composition FOLDER [--rounds N]\n");
    return 2;
  }
  return holdfast::bench::Run(argv[1], argc == 4 ? std::max(1, std::atoi(argv[3])) : 5);
}
