#include <atomic>
#include <thread>

#include "tests/conformance/suite.h"

namespace holdfast::storage::conformance {
namespace {

using std::chrono::seconds;

std::vector<KeyedEntry> ReadRest(Snapshot& snapshot) {
  std::vector<KeyedEntry> all;
  while (true) {
    auto some = snapshot.Next(Deadline::Infinite());
    EXPECT_TRUE(some.ok()) << some.error().ToString();
    if (!some.ok() || some->empty()) return all;
    for (KeyedEntry& item : *some) all.push_back(std::move(item));
  }
}

std::string KeyOf(int i) {
  return "key" + std::to_string(100 + i);
}

constexpr int kLargeEntries = 12;
constexpr std::size_t kLargeBytes = 200'000;

// Few enough bytes of limits, so many bytes of values, that a snapshot is read in several pages.
Limits SeveralPages() {
  Limits limits;
  limits.max_scan_bytes = 2 * kLargeBytes;
  return limits;
}

TEST_P(Conformance, ASnapshotHasWhatTheRangeHolds) {
  std::vector<Operation> puts;
  for (int i = 0; i < 300; ++i) {
    Operation put = Operation::Put(KeyOf(i), "value " + std::to_string(i));
    put.content_type = "text/plain";
    put.metadata = R"({"i":1.50})";
    put.tags = {"a", "b"};
    if (i % 3 == 0) put.expiry = Expiry::After(seconds{i % 2 == 0 ? 1 : 100});
    puts.push_back(put);
  }
  both().Execute(puts);
  clock().Advance(seconds{1});
  const KeyRange range{KeyOf(10), KeyOf(250)};
  auto snapshot = backend().OpenSnapshot(range, Deadline::Infinite());
  ASSERT_TRUE(snapshot.ok()) << snapshot.error().ToString();
  EXPECT_EQ((*snapshot)->consistency(), backend().capabilities().snapshots);
  const std::vector<KeyedEntry> read = ReadRest(**snapshot);
  const auto live = both().model().Live(range, clock().Now());
  ASSERT_EQ(read.size(), live.size());
  std::size_t i = 0;
  for (const auto& [key, entry] : live) {
    EXPECT_EQ(read[i].key, key);
    const OperationResult got = Run(Operation::Get(key));
    ASSERT_TRUE(got.status.ok());
    EXPECT_EQ(read[i].value_bytes, got.entry->value.size());
    EXPECT_EQ(read[i].entry->value, got.entry->value);
    EXPECT_EQ(read[i].entry->version, got.entry->version);
    EXPECT_EQ(read[i].entry->created_at, got.entry->created_at);
    EXPECT_EQ(read[i].entry->updated_at, got.entry->updated_at);
    EXPECT_EQ(read[i].entry->expires_at, got.entry->expires_at);
    EXPECT_EQ(read[i].entry->content_type, got.entry->content_type);
    EXPECT_EQ(read[i].entry->metadata, got.entry->metadata);
    EXPECT_EQ(read[i].entry->tags, got.entry->tags);
    ++i;
  }
}

TEST_P(Conformance, ASnapshotIsOfItsMomentWhateverIsWrittenWhileItIsRead) {
  UseLimits(SeveralPages());
  std::map<std::string, std::string> before;
  for (int i = 0; i < kLargeEntries; ++i) {
    before[KeyOf(2 * i)] = std::string(kLargeBytes, static_cast<char>('a' + i));
    ASSERT_TRUE(Run(Operation::Put(KeyOf(2 * i), before[KeyOf(2 * i)])).status.ok());
  }
  auto snapshot = backend().OpenSnapshot(KeyRange::All(), Deadline::Infinite());
  ASSERT_TRUE(snapshot.ok()) << snapshot.error().ToString();
  const auto change = [&](const char* value) {
    for (int i = 0; i < 2 * kLargeEntries; ++i) {
      const bool remove = i % 4 == 2;
      ASSERT_TRUE(Run(remove ? Operation::Delete(KeyOf(i)) : Operation::Put(KeyOf(i), value)).status.ok());
    }
  };
  change("new");
  auto first = (*snapshot)->Next(Deadline::Infinite());
  ASSERT_TRUE(first.ok()) << first.error().ToString();
  change("newer");
  std::vector<KeyedEntry> read = std::move(*first);
  for (KeyedEntry& item : ReadRest(**snapshot)) read.push_back(std::move(item));

  std::map<std::string, std::string> seen;
  for (const KeyedEntry& item : read) {
    EXPECT_TRUE(seen.empty() || seen.rbegin()->first < item.key) << item.key << " is out of order";
    seen[item.key] = item.entry->value;
  }
  if (backend().capabilities().snapshots == SnapshotConsistency::kPointInTime) {
    EXPECT_TRUE(seen == before) << seen.size() << " entries, of " << before.size();
    return;
  }
  // What was there throughout is never missed, and everything is something that stood there.
  for (int i = 0; i < kLargeEntries; i += 2) EXPECT_TRUE(seen.contains(KeyOf(2 * i))) << i;
  for (const auto& [key, value] : seen) {
    EXPECT_TRUE(value == "new" || value == "newer" || before[key] == value) << key;
  }
}

TEST_P(Conformance, ATransactionIsInASnapshotWholeOrNotAtAll) {
  const bool of_one_moment = backend().capabilities().snapshots == SnapshotConsistency::kPointInTime;
  constexpr int kAccounts = 8;
  constexpr int kEach = 100;
  // Of one tag, where transactions want that.
  const auto account = [](int i) { return "{accounts}" + KeyOf(i % kAccounts); };
  for (int i = 0; i < kAccounts; ++i) {
    ASSERT_TRUE(Run(Operation::Put(account(i), std::to_string(kEach))).status.ok());
  }
  std::atomic<bool> stop{false};
  std::thread mover([&] {
    for (int i = 0; !stop.load(); ++i) {
      Transaction move;
      move.then = {Operation::Increment(account(i), -1), Operation::Increment(account(i + 3), 1)};
      EXPECT_TRUE(backend().Transact(move, Deadline::Infinite()).ok());
    }
  });
  for (int round = 0; round < 30; ++round) {
    auto snapshot = backend().OpenSnapshot(KeyRange::All(), Deadline::Infinite());
    EXPECT_TRUE(snapshot.ok());
    if (!snapshot.ok()) break;
    std::this_thread::yield();
    int sum = 0;
    const std::vector<KeyedEntry> read = ReadRest(**snapshot);
    for (const KeyedEntry& item : read) sum += std::stoi(item.entry->value);
    EXPECT_EQ(read.size(), static_cast<std::size_t>(kAccounts)) << "round " << round;
    if (of_one_moment) {
      EXPECT_EQ(sum, kAccounts * kEach) << "round " << round;
    }
  }
  stop = true;
  mover.join();
}

TEST_P(Conformance, ASnapshotEndsWithItsBackend) {
  UseLimits(SeveralPages());
  for (int i = 0; i < kLargeEntries; ++i) {
    ASSERT_TRUE(Run(Operation::Put(KeyOf(i), std::string(kLargeBytes, 'v'))).status.ok());
  }
  auto snapshot = backend().OpenSnapshot(KeyRange::All(), Deadline::Infinite());
  ASSERT_TRUE(snapshot.ok()) << snapshot.error().ToString();
  ASSERT_TRUE((*snapshot)->Next(Deadline::Infinite()).ok());
  const Status closed = backend().Close();
  EXPECT_TRUE(closed.ok()) << closed.error().ToString();
  EXPECT_EQ("unavailable", CodeName((*snapshot)->Next(Deadline::Infinite())));
}

}  // namespace
}  // namespace holdfast::storage::conformance
