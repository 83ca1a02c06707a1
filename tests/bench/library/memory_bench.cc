// The memory backend's get beside std::unordered_map<std::string, std::shared_ptr<const std::string>> under one
// std::shared_mutex: the same keys in the same random order, both handing out a shared value, on one thread and on two.
//
//   bench_memory [--rounds N]    prints rows for docs/performance.md and exits 0 whatever they say
//
// The two take turns, and each thread's time is its own processor time: what else the machine does then falls on both.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <shared_mutex>
#include <unordered_map>

#include "service/backends/memory/memory_backend.h"
#include "tests/bench/library/measuring.h"

namespace holdfast::bench {
namespace {

using storage::Operation;
using storage::OperationResult;

constexpr std::size_t kKeys = 100'000;
constexpr std::size_t kGetsPerRound = 500'000;  // of each thread
constexpr std::size_t kValueBytes = 100;

class Reference {
 public:
  std::shared_ptr<const std::string> Get(const std::string& key) const {
    std::shared_lock lock(mutex_);
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : found->second;
  }
  void Put(const std::string& key, std::string value) {
    std::unique_lock lock(mutex_);
    entries_[key] = std::make_shared<const std::string>(std::move(value));
  }

 private:
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const std::string>> entries_;
};

std::string KeyOf(std::size_t i) {
  return fmt::format("user:{:08}", i);
}

int Run(int rounds) {
  const std::unique_ptr<storage::Backend> backend = storage::MakeMemoryBackend({});
  Reference reference;
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < kKeys; ++i) {
    keys.push_back(KeyOf(i));
    const std::string value(kValueBytes, static_cast<char>('a' + i % 26));
    reference.Put(keys.back(), value);
    Check(ExecuteOne(*backend, Operation::Put(keys.back(), value), Deadline::Infinite()).status.ok());
  }
  std::mt19937 random(1);
  std::vector<std::vector<std::uint32_t>> orders(2, std::vector<std::uint32_t>(kGetsPerRound));
  for (std::vector<std::uint32_t>& order : orders) {
    for (std::uint32_t& index : order) index = static_cast<std::uint32_t>(random() % kKeys);
  }

  fmt::print(
      "| get of 100 bytes out of {} keys, in process | holdfast memory | unordered_map + shared_mutex | ratio |\n"
      "|---|---:|---:|---:|\n",
      kKeys);
  for (const std::size_t threads : {1u, 2u}) {
    std::vector<double> ours;
    std::vector<double> theirs;
    std::vector<double> ratios;
    for (int round = 0; round < rounds; ++round) {
      ours.push_back(NanosecondsPerCall(threads, kGetsPerRound, [&](std::size_t thread) {
        Operation get = Operation::Get({});
        OperationResult result;
        for (const std::uint32_t index : orders[thread]) {
          get.key = keys[index];
          backend->Execute(std::span(&get, 1), std::span(&result, 1), Deadline::Infinite());
          Check(result.entry && result.entry->value.size() == kValueBytes);
        }
      }));
      theirs.push_back(NanosecondsPerCall(threads, kGetsPerRound, [&](std::size_t thread) {
        for (const std::uint32_t index : orders[thread]) {
          const std::shared_ptr<const std::string> value = reference.Get(keys[index]);
          Check(value && value->size() == kValueBytes);
        }
      }));
      ratios.push_back(theirs.back() / ours.back());
    }
    const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
    fmt::print("| {} thread{} | {:.0f} ns | {:.0f} ns | {:.2f} x ({:.2f}–{:.2f}) |\n", threads, threads > 1 ? "s" : "",
               Median(ours), Median(theirs), Median(ratios), *least, *most);
  }
  return 0;
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) {
  int rounds = 7;
  if (argc == 3 && std::string_view(argv[1]) == "--rounds") rounds = std::max(1, std::atoi(argv[2]));
  return holdfast::bench::Run(rounds);
}
