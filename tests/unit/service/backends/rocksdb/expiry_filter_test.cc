#include "service/backends/rocksdb/expiry_filter.h"

#include <gtest/gtest.h>

#include "service/backends/rocksdb/database.h"
#include "service/backends/rocksdb/entry_codec.h"
#include "tests/unit/service/backends/rocksdb/scratch_directory.h"

namespace holdfast::storage {
namespace {

using std::chrono::seconds;

std::string RowOf(const std::string& key, std::optional<Timestamp> expires_at) {
  Entry entry;
  entry.value = "value";
  entry.version = 1;
  entry.expires_at = expires_at;
  const EncodedEntry encoded = EncodeEntry(key, entry);
  return std::string(encoded.Head()).append(entry.value).append(encoded.Tail());
}

class RocksDbExpiryFilter : public testing::Test {
 protected:
  bool Drops(const std::string& key, const std::string& row) {
    const std::unique_ptr<rocksdb::CompactionFilter> filter =
        MakeExpiryFilterFactory(clock_, swept_, removed_)->CreateCompactionFilter({});
    std::string new_value;
    bool changed = false;
    const bool drops = filter->Filter(0, key, row, &new_value, &changed);
    EXPECT_FALSE(changed);
    return drops;
  }

  ManualClock clock_;
  // The sweeper has just been.
  const std::shared_ptr<SweptUntil> swept_ = std::make_shared<SweptUntil>(clock_.Now().time_since_epoch().count());
  const std::shared_ptr<std::atomic<std::uint64_t>> removed_ = std::make_shared<std::atomic<std::uint64_t>>(0);
};

TEST_F(RocksDbExpiryFilter, DropsWhatHasExpiredAndNothingElse) {
  EXPECT_FALSE(Drops("k", RowOf("k", std::nullopt)));
  EXPECT_FALSE(Drops("k", RowOf("k", clock_.Now() + std::chrono::microseconds{1})));
  EXPECT_FALSE(Drops("k", RowOf("k", clock_.Now() - seconds{1}))) << "the sweeper tells the listener of it first";
  const Timestamp grace = clock_.Now() - kCompactionGrace;
  EXPECT_FALSE(Drops("k", RowOf("k", grace + std::chrono::microseconds{1})));
  EXPECT_TRUE(Drops("k", RowOf("k", grace)));
  EXPECT_TRUE(Drops("k", RowOf("k", grace - seconds{1})));
  EXPECT_EQ(2u, removed_->load());
}

TEST_F(RocksDbExpiryFilter, LeavesEverythingToTheSweeperUntilThatHasRun) {
  *swept_ = 0;
  EXPECT_EQ(nullptr, MakeExpiryFilterFactory(clock_, swept_, removed_)->CreateCompactionFilter({}));
  // The sweeper is behind: what expired since is its own, however long ago.
  *swept_ = (clock_.Now() - std::chrono::hours{5}).time_since_epoch().count();
  EXPECT_FALSE(Drops("k", RowOf("k", clock_.Now() - std::chrono::hours{4})));
}

TEST_F(RocksDbExpiryFilter, KeepsEverythingItCannotVouchFor) {
  const std::string row = RowOf("k", clock_.Now() - kCompactionGrace - seconds{1});
  for (std::size_t bit = 0; bit < row.size() * 8; ++bit) {
    std::string flipped = row;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(Drops("k", flipped)) << "bit " << bit;
  }
  for (std::size_t size = 0; size < row.size(); ++size) EXPECT_FALSE(Drops("k", row.substr(0, size)));
  EXPECT_FALSE(Drops("other", row));
}

TEST_F(RocksDbExpiryFilter, CompactionDropsExpiredEntriesAndNoOlderOneShinesThrough) {
  const ScratchDirectory scratch;
  RocksDbOptions options;
  options.path = scratch.Path("db");
  const Result<std::unique_ptr<Database>> database = OpenDatabase(options, clock_, rocksdb::FileSystem::Default());
  ASSERT_TRUE(database.ok()) << database.error().message();
  rocksdb::DB& db = *(*database)->db;
  rocksdb::ColumnFamilyHandle* entries = (*database)->entries;
  const auto put = [&](const std::string& key, std::optional<Timestamp> expires_at) {
    ASSERT_TRUE(db.Put(rocksdb::WriteOptions(), entries, key, RowOf(key, expires_at)).ok());
    ASSERT_TRUE(db.Flush(rocksdb::FlushOptions(), entries).ok());
  };
  put("overwritten", std::nullopt);
  put("overwritten", clock_.Now() + seconds{5});
  put("expires", clock_.Now() + seconds{5});
  put("expires later", clock_.Now() + std::chrono::hours{5});
  put("extended", clock_.Now() + seconds{5});
  put("extended", clock_.Now() + std::chrono::hours{5});
  put("stays", std::nullopt);
  clock_.Advance(seconds{5} + kCompactionGrace);
  *(*database)->swept_until = clock_.Now().time_since_epoch().count();
  rocksdb::CompactRangeOptions everything;
  everything.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  ASSERT_TRUE(db.CompactRange(everything, entries, nullptr, nullptr).ok());

  const auto stands = [&](const std::string& key) {
    std::string row;
    return db.Get(rocksdb::ReadOptions(), entries, key, &row).ok();
  };
  EXPECT_FALSE(stands("overwritten"));
  EXPECT_FALSE(stands("expires"));
  EXPECT_TRUE(stands("expires later"));
  EXPECT_TRUE(stands("extended"));
  EXPECT_TRUE(stands("stays"));
  EXPECT_GE((*database)->dropped_by_compaction->load(), 2u);
}

}  // namespace
}  // namespace holdfast::storage
