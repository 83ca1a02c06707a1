// Values that are kept packed: what reads, compares and hears of them sees the value, and the account sees what is
// kept.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <random>
#include <thread>

#include "service/backends/memory/kept_entry.h"
#include "service/backends/memory/memory_backend.h"

namespace holdfast::storage {
namespace {

using compression::Codec;
using std::chrono::hours;
const Deadline kNever = Deadline::Infinite();
constexpr std::chrono::minutes kPatience{1};

std::uint64_t Seed() {
  const char* const given = std::getenv("HOLDFAST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
}

std::string Large(char letter = 'v') {
  return std::string(100'000, letter);
}

std::string Noise(std::size_t bytes, std::uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  std::string noise(bytes, '\0');
  std::generate(noise.begin(), noise.end(), [&random] { return static_cast<char>(random()); });
  return noise;
}

struct Event {
  std::string key;
  std::optional<std::string> before, after;
  ChangeCause cause = ChangeCause::kOperation;

  bool operator==(const Event&) const = default;
};

class Listener : public ChangeListener {
 public:
  void OnChange(std::string_view key, const EntryPtr& before, const EntryPtr& after,
                ChangeCause cause) noexcept override {
    const auto value = [](const EntryPtr& entry) { return entry ? std::optional(entry->value) : std::nullopt; };
    const std::lock_guard lock(mutex_);
    told_.push_back({std::string(key), value(before), value(after), cause});
  }
  std::vector<Event> told() const {
    const std::lock_guard lock(mutex_);
    return told_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Event> told_;  // guarded by mutex_
};

class MemoryCompression : public testing::Test {
 protected:
  MemoryCompression() { options_.compression = {Codec::kLz4, 0, 1}; }
  std::unique_ptr<Backend> Open(const std::shared_ptr<Listener>& listener = nullptr) {
    std::unique_ptr<Backend> backend = MakeMemoryBackend(options_, clock_);
    if (listener) backend->SetChangeListener(listener);
    return backend;
  }
  static OperationResult Run(Backend& backend, const Operation& operation) {
    return ExecuteOne(backend, operation, kNever);
  }
  static std::string ValueOf(Backend& backend, const std::string& key) {
    const OperationResult got = Run(backend, Operation::Get(key));
    return got.status.ok() ? got.entry->value : got.status.error().ToString();
  }
  // What an entry with this value takes of max_bytes.
  std::uint64_t Takes(const std::string& value) {
    const auto backend = Open();
    EXPECT_TRUE(Run(*backend, Operation::Put("k", value)).status.ok());
    EXPECT_EQ(value, ValueOf(*backend, "k"));
    return backend->statistics().bytes;
  }

  ManualClock clock_;
  MemoryOptions options_;
};

TEST_F(MemoryCompression, TheAccountIsOfWhatIsKeptAndTheRatioIsCounted) {
  for (const Codec codec : {Codec::kLz4, Codec::kSnappy, Codec::kZstd}) {
    options_.compression.codec = codec;
    const auto backend = Open();
    ASSERT_TRUE(Run(*backend, Operation::Put("k", Large())).status.ok());
    EXPECT_EQ(Large(), ValueOf(*backend, "k"));
    const Statistics statistics = backend->statistics();
    EXPECT_LT(statistics.bytes, 10'000u) << compression::CodecName(codec);
    EXPECT_EQ(Large().size(), statistics.uncompressed_bytes);
    EXPECT_GT(statistics.compressed_bytes, 0u);
    EXPECT_LT(statistics.compressed_bytes, 10'000u);
    ASSERT_TRUE(Run(*backend, Operation::Delete("k")).status.ok());
    EXPECT_EQ(0u, backend->statistics().bytes) << "all that was taken is given back";
  }
}

TEST_F(MemoryCompression, WhatDoesNotPayStaysAsItIsAndIsShared) {
  const std::string noise = Noise(100'000);
  const auto backend = Open();
  ASSERT_TRUE(Run(*backend, Operation::Put("noise", noise)).status.ok());
  const OperationResult first = Run(*backend, Operation::Get("noise"));
  EXPECT_EQ(noise, first.entry->value);
  EXPECT_EQ(first.entry, Run(*backend, Operation::Get("noise")).entry);
  EXPECT_EQ(0u, backend->statistics().uncompressed_bytes);
  EXPECT_GE(backend->statistics().bytes, noise.size());
}

TEST_F(MemoryCompression, IsOffUnlessAskedFor) {
  options_ = MemoryOptions();
  EXPECT_GE(Takes(Large()), Large().size());
  EXPECT_TRUE(Open()->capabilities().inline_writes);
  options_.compression = {Codec::kZstd, 0, 1};
  EXPECT_FALSE(Open()->capabilities().inline_writes) << "packing does not hold up a thread of the network";
}

TEST_F(MemoryCompression, TheThresholdIsTheFirstSizeThatIsPacked) {
  options_.compression.threshold_bytes = 5'000;
  EXPECT_GE(Takes(std::string(4'999, 'v')), 4'999u);
  EXPECT_LT(Takes(std::string(5'000, 'v')), 1'000u);
  options_.compression.threshold_bytes = 1;
  const std::uint64_t empty = Takes("");
  EXPECT_EQ(empty + kLeastPacked - 1, Takes(std::string(kLeastPacked - 1, 'v')));
  options_.compression.threshold_bytes = 10'000'000;
  EXPECT_GE(Takes(Large()), Large().size());
}

TEST_F(MemoryCompression, ConditionsAndCountersSeeTheValue) {
  const auto backend = Open();
  ASSERT_TRUE(Run(*backend, Operation::Put("k", Large())).status.ok());
  const auto wrong = Run(*backend, Operation::Delete("k", Precondition::ValueIs(Large('w'))));
  ASSERT_FALSE(wrong.status.ok());
  EXPECT_EQ(ErrorCode::kVersionConflict, wrong.status.error().code());
  EXPECT_TRUE(Run(*backend, Operation::Put("k", Large('w'), Precondition::ValueIs(Large()))).status.ok());
  EXPECT_EQ(ErrorCode::kFailedPrecondition, Run(*backend, Operation::Increment("k", 1)).status.error().code());
  // A token that is no number when it is unpacked, whatever its packed bytes are.
  EXPECT_EQ(ErrorCode::kFenced,
            Run(*backend, Operation::Delete("k", Precondition{Precondition::Kind::kNotFenced, 0, {}, 7}))
                .status.error()
                .code());
  const auto taken = Run(*backend, Operation::Take("k"));
  ASSERT_TRUE(taken.status.ok());
  EXPECT_EQ(Large('w'), taken.entry->value);

  ASSERT_TRUE(Run(*backend, Operation::Put("n", "41")).status.ok());
  EXPECT_EQ(42, Run(*backend, Operation::Increment("n", 1)).number);
  EXPECT_EQ("42", ValueOf(*backend, "n"));
}

TEST_F(MemoryCompression, ATouchKeepsItPacked) {
  const auto backend = Open();
  ASSERT_TRUE(Run(*backend, Operation::Put("k", Large())).status.ok());
  const Statistics before = backend->statistics();
  ASSERT_TRUE(Run(*backend, Operation::Touch("k", Expiry::After(hours{1}))).status.ok());
  EXPECT_EQ(Large(), ValueOf(*backend, "k"));
  EXPECT_EQ(before.bytes, backend->statistics().bytes);
  EXPECT_EQ(before.uncompressed_bytes, backend->statistics().uncompressed_bytes) << "it is not packed again";
}

TEST_F(MemoryCompression, ScansAndSnapshotsTellTheSizesOfTheValues) {
  const auto backend = Open();
  for (const char* key : {"k1", "k2"}) ASSERT_TRUE(Run(*backend, Operation::Put(key, Large())).status.ok());
  for (const bool keys_only : {true, false}) {
    ScanRequest request;
    request.keys_only = keys_only;
    const auto page = backend->Scan(request, kNever);
    ASSERT_TRUE(page.ok());
    ASSERT_EQ(2u, page->entries.size());
    for (const KeyedEntry& item : page->entries) {
      EXPECT_EQ(Large().size(), item.value_bytes);
      EXPECT_EQ(keys_only ? std::string() : Large(), item.entry->value);
    }
  }
  auto snapshot = backend->OpenSnapshot(KeyRange::All(), kNever);
  ASSERT_TRUE(snapshot.ok());
  // Both are replaced before the snapshot is read.
  ASSERT_TRUE(Run(*backend, Operation::Put("k1", "new")).status.ok());
  ASSERT_TRUE(Run(*backend, Operation::Delete("k2")).status.ok());
  const auto read = (*snapshot)->Next(kNever);
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(2u, read->size());
  for (const KeyedEntry& item : *read) {
    EXPECT_EQ(Large().size(), item.value_bytes);
    EXPECT_EQ(Large(), item.entry->value);
  }
}

TEST_F(MemoryCompression, APageIsAsLongAsItsValues) {
  options_.limits.max_scan_bytes = Large().size() + 100;
  const auto backend = Open();
  for (const char* key : {"k1", "k2"}) ASSERT_TRUE(Run(*backend, Operation::Put(key, Large())).status.ok());
  const auto page = backend->Scan(ScanRequest{}, kNever);
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(1u, page->entries.size());
  EXPECT_FALSE(page->complete);
}

TEST_F(MemoryCompression, TheListenerHearsTheValueOfEveryChange) {
  const auto listener = std::make_shared<Listener>();
  const auto backend = Open(listener);
  ASSERT_TRUE(Run(*backend, Operation::Put("a", Large('1'))).status.ok());
  ASSERT_TRUE(Run(*backend, Operation::Put("a", Large('2'))).status.ok());
  ASSERT_TRUE(Run(*backend, Operation::Delete("a")).status.ok());
  ASSERT_TRUE(Run(*backend, Operation::Put("b", Large('3'))).status.ok());
  ASSERT_EQ(1u, backend->DeleteRange(KeyRange::All(), kNever).value());
  ASSERT_TRUE(Run(*backend, Operation::Put("c", Large('4'), {}, Expiry::After(hours{1}))).status.ok());
  clock_.Advance(hours{2});
  const auto patience = std::chrono::steady_clock::now() + kPatience;
  while (listener->told().size() < 7 && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
  const std::vector<Event> expected = {{"a", std::nullopt, Large('1'), ChangeCause::kOperation},
                                       {"a", Large('1'), Large('2'), ChangeCause::kOperation},
                                       {"a", Large('2'), std::nullopt, ChangeCause::kOperation},
                                       {"b", std::nullopt, Large('3'), ChangeCause::kOperation},
                                       {"b", Large('3'), std::nullopt, ChangeCause::kOperation},
                                       {"c", std::nullopt, Large('4'), ChangeCause::kOperation},
                                       {"c", Large('4'), std::nullopt, ChangeCause::kExpired}};
  EXPECT_EQ(expected, listener->told());
}

TEST_F(MemoryCompression, MaxBytesHoldsWhatPackedValuesTake) {
  options_.max_bytes = 500'000;
  const auto stored = [this](const auto& value_of) {
    const auto backend = Open();
    int count = 0;
    while (count < 1'000 && Run(*backend, Operation::Put("k" + std::to_string(count), value_of(count))).status.ok()) {
      ++count;
    }
    EXPECT_LE(backend->statistics().bytes, options_.max_bytes);
    return count;
  };
  EXPECT_EQ(4, stored([](int i) { return Noise(100'000, static_cast<std::uint64_t>(i)); }));
  EXPECT_GT(stored([](int) { return Large(); }), 100);
}

TEST_F(MemoryCompression, EvictionTakesWhatIsNeededAndTellsTheValue) {
  options_.max_bytes = 50'000;
  options_.eviction = Eviction::kLru;
  const auto listener = std::make_shared<Listener>();
  const auto backend = Open(listener);
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(Run(*backend, Operation::Put("k" + std::to_string(i), Large())).status.ok()) << i;
    ASSERT_LE(backend->statistics().bytes, options_.max_bytes);
  }
  const Statistics statistics = backend->statistics();
  EXPECT_GT(statistics.evicted, 0u);
  EXPECT_GT(statistics.entries, 10u) << "plain, none would fit";
  const std::vector<Event> told = listener->told();
  EXPECT_TRUE(std::all_of(told.begin(), told.end(), [](const Event& event) {
    return event.cause != ChangeCause::kEvicted || event.before == Large();
  }));
}

// Whatever is asked, a backend that packs answers and tells as one that does not.
TEST_F(MemoryCompression, AnswersAsABackendThatPacksNothing) {
  const std::uint64_t seed = Seed();
  SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto below = [&random](std::uint64_t bound) { return random() % bound; };
  for (const Codec codec : {Codec::kLz4, Codec::kSnappy, Codec::kZstd}) {
    options_.compression = {codec, 0, below(2) == 0 ? std::size_t{1} : std::size_t{200}};
    const auto packed_told = std::make_shared<Listener>();
    const auto plain_told = std::make_shared<Listener>();
    const auto packed = Open(packed_told);
    options_.compression = {};
    const auto plain = Open(plain_told);
    std::vector<std::string> values = {"",
                                       "7",
                                       "-3",
                                       std::string(kLeastPacked, 'e'),
                                       std::string(199, 'b'),
                                       std::string(200, 'b'),
                                       Noise(3'000, random())};
    for (int i = 0; i < 4; ++i) values.push_back(std::string(below(20'000), static_cast<char>('a' + i)));
    values.push_back(Noise(500, random()) + std::string(5'000, 'z'));
    const auto key = [&] { return "k" + std::to_string(below(6)); };
    const auto value = [&] { return values[below(values.size())]; };
    const auto operation = [&]() -> Operation {
      Operation made;
      switch (below(8)) {
        case 0:
          made = Operation::Get(key());
          break;
        case 1:
          made = Operation::Delete(key());
          break;
        case 2:
          made = Operation::Take(key());
          break;
        case 3:
          made = Operation::Touch(key(), Expiry::After(hours{1 + below(3)}));
          break;
        case 4:
          made = Operation::Increment(key(), 5);
          break;
        default:
          made = Operation::Put(key(), value());
          made.metadata = below(2) == 0 ? "" : R"({"a":1})";
          made.tags.assign(below(3), "tag");
      }
      if (below(3) == 0) made.precondition = Precondition::ValueIs(value());
      return made;
    };
    const auto compare = [](const OperationResult& a, const OperationResult& b, int step) {
      ASSERT_EQ(a.status.ok(), b.status.ok()) << "step " << step;
      if (!a.status.ok()) {
        EXPECT_EQ(a.status.error().code(), b.status.error().code()) << "step " << step;
      }
      EXPECT_EQ(a.version, b.version) << "step " << step;
      EXPECT_EQ(a.number, b.number) << "step " << step;
      EXPECT_EQ(a.existed, b.existed) << "step " << step;
      ASSERT_EQ(a.entry == nullptr, b.entry == nullptr) << "step " << step;
      if (!a.entry) return;
      EXPECT_EQ(a.entry->value, b.entry->value) << "step " << step;
      EXPECT_EQ(a.entry->metadata, b.entry->metadata) << "step " << step;
      EXPECT_EQ(a.entry->tags, b.entry->tags) << "step " << step;
      EXPECT_EQ(a.entry->expires_at, b.entry->expires_at) << "step " << step;
      EXPECT_EQ(a.entry->created_at, b.entry->created_at) << "step " << step;
    };
    for (int step = 0; step < 3'000 && !HasFailure(); ++step) {
      if (below(5) == 0) {
        Transaction transaction;
        transaction.conditions = {{key(), below(2) == 0 ? Precondition::ValueIs(value()) : Precondition::Present()}};
        for (std::uint64_t i = 0; i < 1 + below(4); ++i) transaction.then.push_back(operation());
        transaction.otherwise = {operation()};
        const auto a = packed->Transact(transaction, kNever);
        const auto b = plain->Transact(transaction, kNever);
        ASSERT_TRUE(a.ok() && b.ok());
        ASSERT_EQ(a->applied, b->applied);
        ASSERT_EQ(a->results.size(), b->results.size());
        for (std::size_t i = 0; i < a->results.size(); ++i) compare(a->results[i], b->results[i], step);
      } else {
        const Operation asked = operation();
        compare(Run(*packed, asked), Run(*plain, asked), step);
      }
    }
    const auto a = packed->Scan(ScanRequest{}, kNever);
    const auto b = plain->Scan(ScanRequest{}, kNever);
    ASSERT_TRUE(a.ok() && b.ok());
    ASSERT_EQ(a->entries.size(), b->entries.size());
    for (std::size_t i = 0; i < a->entries.size(); ++i) {
      EXPECT_EQ(a->entries[i].entry->value, b->entries[i].entry->value);
      EXPECT_EQ(a->entries[i].value_bytes, b->entries[i].value_bytes);
    }
    EXPECT_EQ(plain_told->told(), packed_told->told());
    EXPECT_LT(packed->statistics().bytes, plain->statistics().bytes + 1'000);
    ASSERT_TRUE(packed->DeleteRange(KeyRange::All(), kNever).ok());
    EXPECT_EQ(0u, packed->statistics().bytes) << compression::CodecName(codec);
  }
}

// What was prepared before the lock may not be what stands there under it.
TEST_F(MemoryCompression, WritersOfOneKeyNeverMixTheirValues) {
  const auto listener = std::make_shared<Listener>();
  const auto backend = Open(listener);
  constexpr int kRounds = 300;
  const auto write = [&](char letter) {
    for (int i = 0; i < kRounds; ++i) {
      ASSERT_TRUE(Run(*backend, Operation::Put("k", std::string(5'000, letter))).status.ok());
      (void)Run(*backend, Operation::Touch("k", Expiry::After(hours{1 + i % 7})));
    }
  };
  std::thread other([&] { write('a'); });
  write('b');
  other.join();
  const std::vector<Event> told = listener->told();
  for (std::size_t i = 1; i < told.size(); ++i) {
    ASSERT_EQ(told[i - 1].after, told[i].before) << "change " << i;
    ASSERT_TRUE(told[i].after == std::string(5'000, 'a') || told[i].after == std::string(5'000, 'b'));
  }
}

}  // namespace
}  // namespace holdfast::storage
