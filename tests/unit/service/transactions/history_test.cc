// Random transactions of concurrent sessions, and whether their history is one that a serial machine could have had.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <thread>

#include "service/backends/memory/memory_backend.h"
#include "service/storage/forwarding_backend.h"
#include "service/transactions/session.h"

namespace holdfast::transactions {
namespace {

using storage::Operation;
using storage::Version;

constexpr int kThreads = 4;
constexpr int kTransactionsPerThread = 700;
constexpr int kOperations = 5;
constexpr int kKeys = 6;

std::uint64_t Seed() {
  const char* given = std::getenv("HOLDFAST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
}

// What one committed transaction saw and left, by key; version 0 = absent.
struct Record {
  std::map<std::string, Version> saw;
  std::map<std::string, Version> left;
};

// Forgets what a commit depends on: the bug that the check must find.
class Unvalidated : public storage::ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;

  Result<storage::TransactionResult> Transact(const storage::Transaction& transaction, Deadline deadline) override {
    storage::Transaction without = transaction;
    without.conditions.clear();
    return backend().Transact(without, deadline);
  }
};

// Every value is one that nobody else writes, so that a version says who wrote it. Puts only: each commit replaces.
void Client(const std::shared_ptr<storage::Backend>& backend, Isolation isolation, std::uint64_t seed,
            std::vector<Record>* committed) {
  std::mt19937_64 random(seed);
  for (int t = 0; t < kTransactionsPerThread; ++t) {
    Session session(backend, isolation, {}, SystemClock());
    Record record;
    std::set<std::string> written;
    for (int i = 0; i < kOperations; ++i) {
      const std::string key = fmt::format("k{}", random() % kKeys);
      const bool write = random() % 2 == 0;
      const storage::OperationResult result = session.Execute(
          write ? Operation::Put(key, std::to_string(random())) : Operation::Get(key), {}, Deadline::Infinite());
      if (!write && !written.contains(key)) record.saw.emplace(key, result.version);
      if (write) written.insert(key);
      // Gives the others a turn in the middle, also on one core.
      if (random() % 4 == 0) std::this_thread::yield();
    }
    const auto keys = session.Commit("", std::chrono::hours{1}, Deadline::Infinite());
    if (!keys.ok()) {
      EXPECT_EQ(keys.error().code(), ErrorCode::kVersionConflict);
      continue;
    }
    for (const WrittenKey& key : *keys) record.left[key.key] = key.version;
    committed->push_back(std::move(record));
  }
}

// The direct serialisation graph has no cycle: write to write, write to read and read to overwriting write (Adya, "Weak
// Consistency", 1999; versions of a key are totally ordered by their numbers). Sorted topologically, it is a serial
// order, and the model replays it.
bool IsSerializable(const std::vector<Record>& history) {
  std::map<std::string, std::map<Version, std::size_t>> writer;
  for (std::size_t i = 0; i < history.size(); ++i) {
    for (const auto& [key, version] : history[i].left) writer[key][version] = i;
  }
  std::vector<std::set<std::size_t>> next(history.size());
  const auto edge = [&](std::size_t from, std::size_t to) {
    if (from != to) next[from].insert(to);
  };
  for (auto& [key, versions] : writer) {
    for (auto one = versions.begin(); std::next(one) != versions.end(); ++one)
      edge(one->second, std::next(one)->second);
  }
  for (std::size_t i = 0; i < history.size(); ++i) {
    for (const auto& [key, version] : history[i].saw) {
      const auto& versions = writer[key];
      if (const auto of = versions.find(version); of != versions.end()) edge(of->second, i);
      if (const auto over = versions.upper_bound(version); over != versions.end()) edge(i, over->second);
    }
  }
  std::vector<std::size_t> before(history.size());
  for (const auto& targets : next) {
    for (const std::size_t target : targets) ++before[target];
  }
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < history.size(); ++i) {
    if (before[i] == 0) order.push_back(i);
  }
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (const std::size_t target : next[order[i]]) {
      if (--before[target] == 0) order.push_back(target);
    }
  }
  if (order.size() != history.size()) return false;

  std::map<std::string, Version> model;
  for (const std::size_t i : order) {
    for (const auto& [key, version] : history[i].saw) {
      if (model[key] != version) return false;
    }
    for (const auto& [key, version] : history[i].left) model[key] = version;
  }
  return true;
}

std::vector<Record> RunClients(const std::shared_ptr<storage::Backend>& backend, Isolation isolation) {
  std::vector<std::vector<Record>> committed(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    const std::uint64_t seed = Seed() * 1'000 + static_cast<std::uint64_t>(t);
    threads.emplace_back([&, t, seed] { Client(backend, isolation, seed, &committed[static_cast<std::size_t>(t)]); });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<Record> history;
  for (auto& one : committed) history.insert(history.end(), one.begin(), one.end());
  return history;
}

TEST(TransactionHistory, SerializableTransactionsHaveASerialOrder) {
  SCOPED_TRACE(fmt::format("HOLDFAST_SEED={}", Seed()));
  const std::vector<Record> history = RunClients(storage::MakeMemoryBackend({}), Isolation::kSerializable);
  EXPECT_GE(history.size(), 1u);
  EXPECT_TRUE(IsSerializable(history)) << history.size() << " committed transactions";
}

// Two sessions that overlap for certain, so that the control does not hang on how threads are scheduled.
TEST(TransactionHistory, TheCheckFindsAMissingValidation) {
  const auto backend = std::make_shared<Unvalidated>(storage::MakeMemoryBackend({}));
  std::vector<Record> history = RunClients(backend, Isolation::kSerializable);
  Session first(backend, Isolation::kSerializable, {}, SystemClock());
  Session second(backend, Isolation::kSerializable, {}, SystemClock());
  for (Session* session : {&first, &second}) {
    Record record;
    record.saw["skew-a"] = session->Execute(Operation::Get("skew-a"), {}, Deadline::Infinite()).version;
    record.saw["skew-b"] = session->Execute(Operation::Get("skew-b"), {}, Deadline::Infinite()).version;
    history.push_back(std::move(record));
  }
  first.Execute(Operation::Put("skew-a", "1"), {}, Deadline::Infinite());
  second.Execute(Operation::Put("skew-b", "1"), {}, Deadline::Infinite());
  std::size_t place = history.size() - 2;
  for (Session* session : {&first, &second}) {
    const auto keys = session->Commit("", std::chrono::hours{1}, Deadline::Infinite());
    ASSERT_TRUE(keys.ok());
    for (const WrittenKey& key : *keys) history[place].left[key.key] = key.version;
    ++place;
  }
  EXPECT_FALSE(IsSerializable(history));
}

}  // namespace
}  // namespace holdfast::transactions
