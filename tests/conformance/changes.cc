// What a change listener hears: every change once, with what stood there before and after, in order per key, and
// nothing of what did not happen.
#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "tests/conformance/suite.h"

namespace holdfast::storage::conformance {
namespace {

using std::chrono::seconds;

class Recorder : public ChangeListener {
 public:
  struct Heard {
    std::string key;
    std::string before;  // "-" = nothing
    std::string after;
    ChangeCause cause;
    bool operator==(const Heard&) const = default;
  };

  void OnChange(std::string_view key, const EntryPtr& before, const EntryPtr& after,
                ChangeCause cause) noexcept override {
    const std::lock_guard lock(mutex_);
    heard_.push_back({std::string(key), before ? before->value : "-", after ? after->value : "-", cause});
    // Each change begins where the one before it ended.
    EntryPtr& last = last_[std::string(key)];
    EXPECT_EQ(last ? last->version : 0, before ? before->version : 0) << key;
    last = after;
    if (after) newest_[std::string(key)] = after->version;
  }
  // The newest version of the key that was told.
  Version Newest(const std::string& key) {
    const std::lock_guard lock(mutex_);
    return newest_[key];
  }
  std::vector<Heard> Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(heard_, {});
  }
  std::size_t size() {
    const std::lock_guard lock(mutex_);
    return heard_.size();
  }

 private:
  std::mutex mutex_;
  std::vector<Heard> heard_;
  std::map<std::string, EntryPtr> last_;
  std::map<std::string, Version> newest_;
};

using Heard = Recorder::Heard;
constexpr auto kOperation = ChangeCause::kOperation;

class Changes : public Conformance {
 protected:
  void SetUp() override {
    Conformance::SetUp();
    backend().SetChangeListener(recorder_);
  }
  const std::shared_ptr<Recorder> recorder_ = std::make_shared<Recorder>();
};

std::string Name(const testing::TestParamInfo<BackendUnderTest>& info) {
  return info.param.name;
}
INSTANTIATE_TEST_SUITE_P(memory, Changes, testing::Values(MemoryUnderTest()), Name);
INSTANTIATE_TEST_SUITE_P(rocksdb, Changes, testing::Values(RocksDbUnderTest()), Name);
INSTANTIATE_TEST_SUITE_P(postgres, Changes,
                         testing::Values(PostgresUnderTest(), PostgresTlsUnderTest(), PostgresPgBouncerUnderTest()),
                         Name);
INSTANTIATE_TEST_SUITE_P(redis, Changes,
                         testing::Values(RedisUnderTest(), RedisTlsUnderTest(), RedisSharedUnderTest(),
                                         RedisClusterUnderTest()),
                         Name);

INSTANTIATE_TEST_SUITE_P(tiered, Changes,
                         testing::Values(TieredUnderTest("tiered_memory_rocksdb", RocksDbUnderTest()),
                                         TieredUnderTest("tiered_memory_postgres", PostgresUnderTest(),
                                                         /*shared=*/true)),
                         Name);

INSTANTIATE_TEST_SUITE_P(replicated, Changes,
                         testing::Values(ReplicatedUnderTest("replicated_memory", MemoryOnClock),
                                         ReplicatedUnderTest("replicated_rocksdb", RocksDbOnClock)),
                         Name);

TEST_P(Changes, EachOperationTellsWhatStoodThereAndWhatStandsThere) {
  for (const Operation& operation :
       {Operation::Put("k", "1"), Operation::Get("k"), Operation::Increment("k", 4),
        Operation::Touch("k", Expiry::After(seconds{9})), Operation::Put("k", "no", Precondition::Absent()),
        Operation::Take("k"), Operation::Delete("k"), Operation::Put("k", "2"), Operation::Delete("k")}) {
    (void)Run(operation);
  }
  EXPECT_EQ((std::vector<Heard>{{"k", "-", "1", kOperation},
                                {"k", "1", "5", kOperation},
                                {"k", "5", "5", kOperation},
                                {"k", "5", "-", kOperation},
                                {"k", "-", "2", kOperation},
                                {"k", "2", "-", kOperation}}),
            recorder_->Take());
}

TEST_P(Changes, ATransactionTellsOfEveryKeyItChangedOnceAndAFailedOneOfNothing) {
  (void)Run(Operation::Put("{t}a", "1"));
  (void)recorder_->Take();
  Transaction transaction;
  transaction.then = {Operation::Put("{t}a", "2"), Operation::Put("{t}a", "3"), Operation::Put("{t}b", "1")};
  ASSERT_TRUE(backend().Transact(transaction, Deadline::Infinite())->applied);
  std::vector<Heard> heard = recorder_->Take();
  std::sort(heard.begin(), heard.end(), [](const Heard& a, const Heard& b) { return a.key < b.key; });
  EXPECT_EQ((std::vector<Heard>{{"{t}a", "1", "3", kOperation}, {"{t}b", "-", "1", kOperation}}), heard);

  transaction.then = {Operation::Put("{t}a", "4"), Operation::Put("{t}b", "x", Precondition::Absent())};
  ASSERT_FALSE(backend().Transact(transaction, Deadline::Infinite())->applied);
  transaction.conditions = {{"{t}a", Precondition::ValueIs("other")}};
  transaction.then = {Operation::Put("{t}a", "5")};
  ASSERT_TRUE(backend().Transact(transaction, Deadline::Infinite()).ok());
  EXPECT_EQ(0u, recorder_->size());
}

TEST_P(Changes, ADeletedRangeTellsOfEveryKeyInIt) {
  for (const char* key : {"a", "b1", "b2", "c"}) (void)Run(Operation::Put(key, key));
  (void)recorder_->Take();
  ASSERT_EQ(2u, *backend().DeleteRange(KeyRange::Prefix("b"), Deadline::Infinite()));
  std::vector<Heard> heard = recorder_->Take();
  std::sort(heard.begin(), heard.end(), [](const Heard& a, const Heard& b) { return a.key < b.key; });
  EXPECT_EQ((std::vector<Heard>{{"b1", "b1", "-", kOperation}, {"b2", "b2", "-", kOperation}}), heard);
}

TEST_P(Changes, AnExpiryIsToldOnceByWhoeverRemovesTheEntry) {
  (void)Run(Operation::Put("swept", "1", {}, Expiry::After(seconds{5})));
  (void)Run(Operation::Put("stays", "1", {}, Expiry::After(seconds{50})));
  (void)recorder_->Take();
  clock().Advance(seconds{5});
  const Deadline patience = Deadline::After(seconds{60});
  while (recorder_->size() == 0 && !patience.Expired()) std::this_thread::sleep_for(std::chrono::milliseconds{5});
  EXPECT_EQ((std::vector<Heard>{{"swept", "1", "-", ChangeCause::kExpired}}), recorder_->Take());
  EXPECT_EQ("ok", CodeName(Run(Operation::Put("swept", "2")).status));
  EXPECT_EQ((std::vector<Heard>{{"swept", "-", "2", kOperation}}), recorder_->Take());
}

// The recorder itself holds each change against the one before it.
TEST_P(Changes, ParallelWritersOfOneKeyAreHeardInTheirOrder) {
  std::vector<std::thread> writers;
  for (int thread = 0; thread < 4; ++thread) {
    writers.emplace_back([this, thread] {
      for (int i = 0; i < 100; ++i) {
        (void)Run(i % 5 == 4 ? Operation::Delete("k") : Operation::Put("k", std::to_string(thread * 1000 + i)));
        (void)Run(Operation::Increment("n", 1));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  const OperationResult last = Run(Operation::Get("n"));
  EXPECT_EQ("400", last.entry->value);
  std::vector<Heard> heard = recorder_->Take();
  int expected = 0;
  for (const Heard& change : heard) {
    if (change.key != "n") continue;
    EXPECT_EQ(std::to_string(++expected), change.after);
  }
  EXPECT_EQ(400, expected);
}

// A scan may see what its listener has not heard of yet; not any more once it was waited for.
TEST_P(Changes, WhatAScanHasSeenIsToldOnceTheListenerWasAwaited) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  for (int thread = 0; thread < 3; ++thread) {
    writers.emplace_back([&, thread] {
      for (int i = 0; i < 50 || !stop; ++i) {
        (void)Run(Operation::Put("k" + std::to_string((i * 7 + thread) % 20), std::to_string(i)));
      }
    });
  }
  for (int round = 0; round < 50; ++round) {
    const auto page = backend().Scan({}, Deadline::Infinite());
    EXPECT_TRUE(page.ok());
    if (!page.ok()) break;
    // On a busy machine it may not know in time.
    const Deadline patience = Deadline::After(std::chrono::seconds{60});
    bool told = backend().AwaitListener();
    while (!told && !patience.Expired()) told = backend().AwaitListener();
    EXPECT_TRUE(told);
    for (const KeyedEntry& item : page->entries) EXPECT_GE(recorder_->Newest(item.key), item.entry->version);
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
}

}  // namespace
}  // namespace holdfast::storage::conformance
