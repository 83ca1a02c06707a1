#include <atomic>
#include <random>
#include <string>
#include <thread>

#include "tests/conformance/suite.h"

namespace holdfast::storage::conformance {
namespace {

using std::chrono::seconds;

TEST_P(Conformance, AfterCloseEveryCallIsUnavailable) {
  both().Execute(Operation::Put("k", "1"));
  EXPECT_EQ("ok", CodeName(backend().Close()));
  EXPECT_EQ("ok", CodeName(backend().Close()));
  std::vector<OperationResult> results(2);
  const std::vector<Operation> operations = {Operation::Get("k"), Operation::Put("k", "2")};
  backend().Execute(operations, results, Deadline::Infinite());
  for (const OperationResult& result : results) EXPECT_EQ("unavailable", CodeName(result.status));
  EXPECT_EQ("unavailable", CodeName(backend().Transact(Transaction{}, Deadline::Infinite())));
  EXPECT_EQ("unavailable", CodeName(backend().Scan(ScanRequest{}, Deadline::Infinite())));
  EXPECT_EQ("unavailable", CodeName(backend().Count(KeyRange::All(), Deadline::Infinite())));
  EXPECT_EQ("unavailable", CodeName(backend().DeleteRange(KeyRange::All(), Deadline::Infinite())));
  EXPECT_EQ("unavailable", CodeName(backend().CheckHealth(Deadline::Infinite())));
  EXPECT_EQ(0u, backend().statistics().entries);
}

TEST_P(Conformance, AnOpenBackendIsHealthyAndHealthLeavesNoTrace) {
  EXPECT_EQ("ok", CodeName(backend().CheckHealth(Deadline::Infinite())));
  both().ScanAll(KeyRange::All(), 10);
}

TEST_P(Conformance, CapabilitiesSayWhatTheBackendIs) {
  EXPECT_FALSE(backend().kind().empty());
  EXPECT_FALSE(backend().capabilities().durability.empty());
  EXPECT_TRUE(backend().capabilities().ordered_scan);
}

TEST_P(Conformance, StatisticsCountEntriesAndBytes) {
  // Nothing to gain by compressing it.
  std::mt19937 random(1);
  std::string value(1'000, '\0');
  for (char& byte : value) byte = static_cast<char>(random());
  for (int i = 0; i < 100; ++i) both().Execute(Operation::Put("k" + std::to_string(i), value));
  const Statistics statistics = backend().statistics();
  EXPECT_GT(statistics.bytes, 100'000u);
  if (!statistics.entries_estimated) {
    EXPECT_EQ(100u, statistics.entries);
  }
  EXPECT_GT(statistics.entries, 0u);
}

TEST_P(Conformance, WhatWasAcknowledgedIsThereAfterReopening) {
  Operation put = Operation::Put("k", std::string("\0\xff", 2), {}, Expiry::After(seconds{60}));
  put.metadata = R"({"a":1})";
  put.tags = {"t"};
  both().Execute(put);
  both().Execute(Operation::Put("gone", "1"));
  both().Execute(Operation::Delete("gone"));
  both().Execute(Operation::Increment("n", 5));
  both().Execute(Operation::Put("short", "1", {}, Expiry::After(seconds{1})));
  if (!Reopen()) {
    EXPECT_EQ("memory", backend().capabilities().durability);
    return;
  }
  both().ReadAll();
  both().ScanAll(KeyRange::All(), 2);
  clock().Advance(seconds{1});
  both().ReadAll();
}

TEST_P(Conformance, VersionsRiseAcrossReopeningEvenWhenTheClockIsSetBack) {
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 5; ++i) both().Execute(Operation::Put("k", "1"));  // compared with the highest ever
    both().Execute(Operation::Delete("k"));
    clock().JumpTo(clock().Now() - std::chrono::hours{24});
    Reopen();
  }
  both().Execute(Operation::Put("k", "1"));
}

TEST_P(Conformance, ConcurrentCompareAndSwapLosesNothing) {
  constexpr int kThreads = 4;
  constexpr int kEach = 50;
  Run(Operation::Put("n", "0"));
  std::atomic<int> conflicts{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&] {
      for (int done = 0; done < kEach;) {
        const OperationResult read = Run(Operation::Get("n"));
        ASSERT_TRUE(read.status.ok());
        const std::string next = std::to_string(std::stoi(read.entry->value) + 1);
        const OperationResult put = Run(Operation::Put("n", next, Precondition::VersionIs(read.version)));
        if (put.status.ok()) {
          ++done;
        } else {
          ASSERT_EQ(ErrorCode::kVersionConflict, put.status.error().code());
          ++conflicts;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::to_string(kThreads * kEach), Run(Operation::Get("n")).entry->value);
}

TEST_P(Conformance, ConcurrentIncrementsInBatchesLoseNothingAndVersionsRise) {
  constexpr int kThreads = 4;
  constexpr int kEach = 25;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&] {
      std::vector<Version> last(3);
      for (int i = 0; i < kEach; ++i) {
        const std::vector<Operation> operations = {Operation::Increment("a", 1), Operation::Increment("b", 2),
                                                   Operation::Increment("c", 3)};
        std::vector<OperationResult> results(operations.size());
        backend().Execute(operations, results, Deadline::Infinite());
        for (std::size_t k = 0; k < results.size(); ++k) {
          ASSERT_TRUE(results[k].status.ok());
          EXPECT_GT(results[k].version, last[k]);
          last[k] = results[k].version;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ("100", Run(Operation::Get("a")).entry->value);
  EXPECT_EQ("200", Run(Operation::Get("b")).entry->value);
  EXPECT_EQ("300", Run(Operation::Get("c")).entry->value);
}

// Readers, writers, scans and range deletions at once: nothing to compare with, but every answer is one of the allowed
// ones, every scan is in order without a key twice, and a key nobody touches is in every page.
TEST_P(Conformance, ScansBesideWritersStayInOrderAndMissNothingThatStands) {
  Run(Operation::Put("k5 stands", "1"));
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      const std::string key = "k" + std::to_string(i % 10);
      EXPECT_TRUE(Run(Operation::Put(key, "v")).status.ok());
      EXPECT_TRUE(Run(Operation::Delete("k" + std::to_string(i * 7 % 10))).status.ok());
      if (i % 20 == 0) {
        EXPECT_TRUE(backend().DeleteRange(KeyRange::Prefix("k3"), Deadline::Infinite()).ok());
      }
    }
  });
  for (int i = 0; i < 200; ++i) {
    ScanRequest request;
    request.descending = i % 2 == 1;
    const Result<ScanPage> page = backend().Scan(request, Deadline::Infinite());
    ASSERT_TRUE(page.ok());
    bool stands = false;
    for (std::size_t k = 0; k < page->entries.size(); ++k) {
      stands = stands || page->entries[k].key == "k5 stands";
      if (k == 0) continue;
      const bool rises = page->entries[k - 1].key < page->entries[k].key;
      EXPECT_NE(request.descending, rises);
    }
    EXPECT_TRUE(stands);
  }
  stop = true;
  writer.join();
}

TEST_P(Conformance, CloseWaitsForCallsInProgress) {
  std::atomic<int> running{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0;; ++i) {
        const OperationResult put = Run(Operation::Put("k" + std::to_string(i % 50), "v"));
        if (i == 5) ++running;
        if (!put.status.ok()) {
          EXPECT_EQ("unavailable", CodeName(put.status));
          return;
        }
        const OperationResult get = Run(Operation::Get("k1"));
        if (!get.status.ok() && get.status.error().code() == ErrorCode::kUnavailable) return;
      }
    });
  }
  const Deadline patience = Deadline::After(seconds{60});
  while (running < 3 && !patience.Expired()) std::this_thread::yield();
  EXPECT_EQ("ok", CodeName(backend().Close()));
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace holdfast::storage::conformance
