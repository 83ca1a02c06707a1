#include "service/backends/memory/eviction.h"

#include <gtest/gtest.h>

#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "service/storage/key_space.h"

namespace holdfast::storage {
namespace {

using std::chrono::seconds;
const Deadline kNever = Deadline::Infinite();
constexpr std::uint64_t kMaxBytes = 1'000'000;

class Heard : public ChangeListener {
 public:
  void OnChange(std::string_view key, const EntryPtr& before, const EntryPtr& after,
                ChangeCause cause) noexcept override {
    const std::lock_guard lock(mutex_);
    if (cause == ChangeCause::kEvicted) {
      EXPECT_TRUE(before);
      EXPECT_FALSE(after);
      evicted_.emplace_back(key);
    }
    if (cause == ChangeCause::kExpired) ++expired_;
  }
  std::vector<std::string> evicted() const {
    const std::lock_guard lock(mutex_);
    return evicted_;
  }
  std::size_t expired() const {
    const std::lock_guard lock(mutex_);
    return expired_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> evicted_;
  std::size_t expired_ = 0;
};

class MemoryEviction : public testing::Test {
 protected:
  void Make(Eviction eviction, std::uint64_t max_bytes = kMaxBytes) {
    MemoryOptions options;
    options.max_bytes = max_bytes;
    options.eviction = eviction;
    heard_ = std::make_shared<Heard>();
    backend_ = MakeMemoryBackend(options, clock_);
    backend_->SetChangeListener(heard_);
  }
  OperationResult Run(const Operation& operation) { return ExecuteOne(*backend_, operation, kNever); }
  void Put(const std::string& key, Expiry expiry = Expiry::Never()) {
    const OperationResult result = Run(Operation::Put(key, std::string(1000, 'v'), {}, expiry));
    EXPECT_TRUE(result.status.ok()) << result.status.error().message();
  }
  bool Has(const std::string& key) { return Run(Operation::Get(key)).status.ok(); }
  static std::string KeyOf(int i) { return KeySpace("s", "default").In(Room::kKeys).Wrap("k" + std::to_string(i)); }

  ManualClock clock_;
  std::shared_ptr<Heard> heard_;
  std::unique_ptr<Backend> backend_;
};

TEST_F(MemoryEviction, NeverGoesAboveTheLimitAndTellsOfEachThatWent) {
  for (const Eviction eviction : {Eviction::kLru, Eviction::kLfu}) {
    Make(eviction);
    for (int i = 0; i < 5000; ++i) {
      Put(KeyOf(i));
      EXPECT_LE(backend_->statistics().bytes, kMaxBytes);
    }
    const std::vector<std::string> evicted = heard_->evicted();
    EXPECT_EQ(evicted.size(), backend_->statistics().evicted);
    EXPECT_EQ(5000u, backend_->statistics().entries + evicted.size());
    EXPECT_EQ(evicted.size(), std::set<std::string>(evicted.begin(), evicted.end()).size());
    for (const std::string& key : evicted) EXPECT_FALSE(Has(key));
  }
}

TEST_F(MemoryEviction, LruKeepsWhatIsRead) {
  Make(Eviction::kLru, 4 * kMaxBytes);
  for (int i = 0; i < 50; ++i) Put(KeyOf(i));
  for (int i = 1000; i < 13'000; ++i) {
    Put(KeyOf(i));
    if (i % 100 == 0) {
      for (int hot = 0; hot < 50; ++hot) (void)Has(KeyOf(hot));
    }
  }
  int kept = 0;
  for (int hot = 0; hot < 50; ++hot) kept += Has(KeyOf(hot)) ? 1 : 0;
  EXPECT_GE(kept, 45);  // sampled, so not all; by chance it would be 1
}

TEST_F(MemoryEviction, LfuKeepsWhatIsReadOftenThroughAScan) {
  Make(Eviction::kLfu, 4 * kMaxBytes);
  for (int i = 0; i < 50; ++i) Put(KeyOf(i));
  for (int round = 0; round < 200; ++round) {
    for (int hot = 0; hot < 50; ++hot) (void)Has(KeyOf(hot));
  }
  // Read once each, and more of them than there is room: lru would let everything else go.
  for (int i = 1000; i < 13'000; ++i) {
    Put(KeyOf(i));
    (void)Has(KeyOf(i));
  }
  int kept = 0;
  for (int hot = 0; hot < 50; ++hot) kept += Has(KeyOf(hot)) ? 1 : 0;
  EXPECT_GE(kept, 45);
}

TEST_F(MemoryEviction, TtlTakesWhatExpiresSoonestAndNeverWhatDoesNotExpire) {
  Make(Eviction::kTtl);
  for (int i = 0; i < 300; ++i) Put(KeyOf(i));
  for (int i = 1000; i < 1300; ++i) Put(KeyOf(i), Expiry::After(seconds{10'000 + i}));
  int refused = 0;
  for (int i = 2000; i < 3000 && refused == 0; ++i) {
    if (!Run(Operation::Put(KeyOf(i), std::string(1000, 'v'))).status.ok()) ++refused;
  }
  EXPECT_EQ(1, refused) << "at the end nothing is left that expires";
  for (int i = 0; i < 300; ++i) EXPECT_TRUE(Has(KeyOf(i)));
  const std::vector<std::string> evicted = heard_->evicted();
  ASSERT_EQ(300u, evicted.size());
  int early_among_first = 0;
  for (std::size_t i = 0; i < 100; ++i) early_among_first += evicted[i] < KeyOf(1150) ? 1 : 0;
  EXPECT_GT(early_among_first, 80);  // by chance it would be 50
}

TEST_F(MemoryEviction, WhatClientsDidNotPutStaysWhateverHappens) {
  for (const Eviction eviction : {Eviction::kLru, Eviction::kLfu, Eviction::kTtl}) {
    Make(eviction);
    const KeySpace space("s", "default");
    std::vector<std::string> others;
    for (const Room room : {Room::kCollections, Room::kDocuments, Room::kFences, Room::kLocks, Room::kReplays,
                            Room::kSystem, Room::kIndexes}) {
      for (int i = 0; i < 20; ++i) others.push_back(space.In(room).Wrap(std::to_string(i)));
    }
    others.push_back(KeySpace("s", kSystemNamespace).In(Room::kKeys).Wrap("secret"));
    for (const std::string& key : others) Put(key, Expiry::After(seconds{100}));
    for (int i = 0; i < 3000; ++i) Put(KeyOf(i), Expiry::After(seconds{1000}));
    for (const std::string& key : others) EXPECT_TRUE(Has(key));
    EXPECT_GT(heard_->evicted().size(), 2000u);
  }
}

TEST_F(MemoryEviction, WithNothingToEvictAWriteIsRefusedAndSaysWhy) {
  Make(Eviction::kLru);
  const KeySpace documents = KeySpace("s", "default").In(Room::kDocuments);
  OperationResult last;
  for (int i = 0; i < 2000 && last.status.ok(); ++i) {
    last = Run(Operation::Put(documents.Wrap(std::to_string(i)), std::string(1000, 'v')));
  }
  ASSERT_FALSE(last.status.ok());
  EXPECT_EQ(ErrorCode::kResourceExhausted, last.status.error().code());
  EXPECT_NE(std::string::npos, last.status.error().message().find("nothing is left that may be evicted"));
  EXPECT_FALSE(Run(Operation::Put(KeyOf(1), std::string(2 * kMaxBytes, 'v'))).status.ok());
}

// Once, every write that found no candidate looked through all entries under their locks.
TEST_F(MemoryEviction, TheFewThatMayGoAreFoundAmongManyThatMayNot) {
  for (const Eviction eviction : {Eviction::kLru, Eviction::kLfu, Eviction::kTtl}) {
    Make(eviction, 40 * kMaxBytes);
    const KeySpace documents = KeySpace("s", "default").In(Room::kDocuments);
    for (int i = 0; Run(Operation::Put(documents.Wrap(std::to_string(i)), "")).status.ok(); ++i) {
      if (i == 50'000) {
        for (int k = 0; k < 3; ++k) Put(KeyOf(k), Expiry::After(seconds{1000 + k}));
      }
    }
    EXPECT_EQ(3u, heard_->evicted().size()) << "they have given way";
    const OperationResult refused = Run(Operation::Put(documents.Wrap("more"), std::string(1000, 'v')));
    ASSERT_FALSE(refused.status.ok());
    EXPECT_EQ(ErrorCode::kResourceExhausted, refused.status.error().code());
    EXPECT_TRUE(Run(Operation::Delete(documents.Wrap("0"))).status.ok());
    EXPECT_TRUE(Run(Operation::Delete(documents.Wrap("1"))).status.ok());
    EXPECT_TRUE(Run(Operation::Put(KeyOf(9), "", {}, Expiry::After(seconds{10}))).status.ok());
    EXPECT_TRUE(Run(Operation::Put(KeyOf(10), "", {}, Expiry::After(seconds{10}))).status.ok());
    EXPECT_TRUE(Run(Operation::Put(KeyOf(11), "", {}, Expiry::After(seconds{10}))).status.ok());
    EXPECT_TRUE(Has(KeyOf(11)));
  }
}

// Whether or not the sweeper has come by.
TEST_F(MemoryEviction, WhatHasExpiredMakesRoomWhateverItIs) {
  Make(Eviction::kLru);
  const KeySpace documents = KeySpace("s", "default").In(Room::kDocuments);
  const auto fill = [&](const std::string& prefix) {
    OperationResult last;
    int stored = 0;
    for (; stored < 2000 && last.status.ok(); ++stored) {
      last = Run(Operation::Put(documents.Wrap(prefix + std::to_string(stored)), std::string(1000, 'v'), {},
                                Expiry::After(seconds{5})));
    }
    EXPECT_EQ(ErrorCode::kResourceExhausted, last.status.error().code());
    return stored;
  };
  const int first = fill("a");
  clock_.Advance(seconds{6});
  EXPECT_EQ(first, fill("b"));
  EXPECT_TRUE(heard_->evicted().empty());
  EXPECT_EQ(static_cast<std::size_t>(first - 1), heard_->expired());
}

TEST_F(MemoryEviction, ATransactionMakesRoomForAllOfItAndStaysAtomic) {
  Make(Eviction::kLru);
  for (int i = 0; i < 2000; ++i) Put(KeyOf(i));
  Transaction transaction;
  for (int i = 0; i < 100; ++i)
    transaction.then.push_back(Operation::Put("t" + std::to_string(i), std::string(2000, 'v')));
  const Result<TransactionResult> result = backend_->Transact(transaction, kNever);
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_TRUE(result->applied);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(Has("t" + std::to_string(i)));
  EXPECT_LE(backend_->statistics().bytes, kMaxBytes);
}

TEST_F(MemoryEviction, ParallelWritersStayBelowTheLimitAndTheAccountIsEven) {
  Make(Eviction::kLfu);
  std::vector<std::thread> writers;
  for (int thread = 0; thread < 4; ++thread) {
    writers.emplace_back([&, thread] {
      for (int i = 0; i < 3000; ++i) {
        Put(KeyOf(thread * 10'000 + i));
        (void)Has(KeyOf(thread * 10'000 + i / 2));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_LE(backend_->statistics().bytes, kMaxBytes);
  EXPECT_TRUE(backend_->DeleteRange(KeyRange::All(), kNever).ok());
  EXPECT_EQ(0u, backend_->statistics().bytes);
}

TEST_F(MemoryEviction, HitsAndMissesAreCounted) {
  Make(Eviction::kNone);
  Put("k", Expiry::After(seconds{1}));
  for (int i = 0; i < 7; ++i) (void)Has("k");
  for (int i = 0; i < 3; ++i) (void)Has("none");
  clock_.Advance(seconds{1});
  (void)Has("k");
  EXPECT_EQ(7u, backend_->statistics().cache_hits);
  EXPECT_EQ(4u, backend_->statistics().cache_misses);
}

TEST(EvictionNotes, AnLfuCounterGrowsLogarithmicallyAndForgetsByTheMinute) {
  std::mt19937_64 random(1);
  EvictionClock now{0, 1000};
  std::uint64_t use = FirstUse(Eviction::kLfu, now);
  Record record;
  const auto score = [&] {
    record.use = use;
    return EvictionScore(Eviction::kLfu, record, now);
  };
  const std::uint64_t fresh = score();
  for (int i = 0; i < 1000; ++i) use = NextUse(Eviction::kLfu, use, now, random());
  const std::uint64_t often = score();
  EXPECT_LT(often, fresh);
  EXPECT_GT(often, fresh - 40) << "1000 uses are not 1000 steps";
  now.minutes += 300;
  EXPECT_GT(score(), fresh) << "what nobody asks for any more goes before what has just come";
  now.minutes = 1;  // the clock was set back
  EXPECT_EQ(often, score());
}

}  // namespace
}  // namespace holdfast::storage
