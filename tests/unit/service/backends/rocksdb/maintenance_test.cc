// Compaction, flushing, compression and the figures they show.
#include <gtest/gtest.h>

#include "service/backends/rocksdb/rocksdb_backend.h"
#include "service/storage/key_space.h"
#include "tests/unit/service/backends/rocksdb/scratch_directory.h"

namespace holdfast::storage {
namespace {

const Deadline kNever = Deadline::Infinite();

class RocksDbMaintenance : public testing::Test {
 protected:
  void SetUp() override {
    options_.path = scratch_.Path("db");
    options_.durability = Durability::kOs;
    Open();
  }
  void Open() {
    backend_.reset();
    Result<std::unique_ptr<Backend>> opened = OpenRocksDbBackend(options_);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    backend_ = std::move(*opened);
  }
  void Put(const std::string& key, std::string value) {
    ASSERT_TRUE(ExecuteOne(*backend_, Operation::Put(key, std::move(value)), kNever).status.ok());
  }
  std::string Get(const std::string& key) {
    const OperationResult got = ExecuteOne(*backend_, Operation::Get(key), kNever);
    return got.status.ok() ? got.entry->value : std::string("absent");
  }

  const ScratchDirectory scratch_;
  RocksDbOptions options_;
  std::unique_ptr<Backend> backend_;
};

TEST_F(RocksDbMaintenance, CompactionGivesBackWhatWasDeletedAndKeepsTheRest) {
  for (int i = 0; i < 400; ++i) Put("k" + std::to_string(i), std::string(3000, static_cast<char>('a' + i % 26)));
  Result<MaintenanceReport> flushed = backend_->maintenance()->Flush(kNever);
  ASSERT_TRUE(flushed.ok());
  EXPECT_GT(flushed->bytes_after, flushed->bytes_before);
  for (int i = 1; i < 400; ++i)
    ASSERT_TRUE(ExecuteOne(*backend_, Operation::Delete("k" + std::to_string(i)), kNever).status.ok());
  const Result<MaintenanceReport> compacted = backend_->maintenance()->Compact(kNever);
  ASSERT_TRUE(compacted.ok());
  EXPECT_LT(compacted->bytes_after, flushed->bytes_after / 2);
  EXPECT_EQ(std::string(3000, 'a'), Get("k0"));
  EXPECT_GT(backend_->statistics().disk->compactions, 0u);
  EXPECT_EQ(ErrorCode::kDeadlineExceeded,
            backend_->maintenance()->Compact(Deadline::After(std::chrono::seconds{-1})).error().code());
  ASSERT_TRUE(backend_->Close().ok());
  EXPECT_EQ(ErrorCode::kUnavailable, backend_->maintenance()->Flush(kNever).error().code());
}

TEST_F(RocksDbMaintenance, EveryCodecReadsWhatEveryOtherWrote) {
  using compression::Codec;
  const std::vector<Codec> codecs = {Codec::kZstd, Codec::kNone, Codec::kSnappy, Codec::kLz4};
  const auto value = [](std::size_t i) { return std::string(20'000, static_cast<char>('a' + i)); };
  for (std::size_t i = 0; i < codecs.size(); ++i) {
    options_.compression.codec = codecs[i];
    Open();
    Put("k" + std::to_string(i), value(i));
    for (std::size_t j = 0; j <= i; ++j) EXPECT_TRUE(Get("k" + std::to_string(j)) == value(j));
    const Statistics statistics = backend_->statistics();
    EXPECT_EQ(codecs[i] == Codec::kNone ? 0u : 20'000u, statistics.uncompressed_bytes);
    EXPECT_LE(statistics.compressed_bytes * 4, statistics.uncompressed_bytes);
  }
}

// The filters of key spaces only ever spare work: every scan finds what a scan without them would.
TEST_F(RocksDbMaintenance, ScansOfASpaceFindAllOfItInMemoryAndInFiles) {
  const std::vector<KeySpace> spaces = {
      KeySpace("main", "default").In(Room::kKeys), KeySpace("main", "default").In(Room::kLocks),
      KeySpace("main", "other").In(Room::kKeys), KeySpace("other", "default").In(Room::kKeys)};
  for (int round = 0; round < 3; ++round) {
    for (const KeySpace& space : spaces) {
      for (int i = 0; i < 50; ++i) Put(space.Wrap(std::to_string(round) + "-" + std::to_string(i)), "v");
    }
    Put(std::string("bare") + std::to_string(round), "v");
    if (round < 2) {
      ASSERT_TRUE(backend_->maintenance()->Flush(kNever).ok());
    }
    const auto scanned = [&](const KeyRange& range, bool descending) {
      const Result<ScanPage> page = backend_->Scan({range, descending, true, 10'000, {}, {}, {}}, kNever);
      EXPECT_TRUE(page.ok());
      return page->entries.size();
    };
    const auto expected = static_cast<std::size_t>(50 * (round + 1));
    for (const KeySpace& space : spaces) {
      for (const bool descending : {false, true}) {
        EXPECT_EQ(expected, scanned(space.Wrap(KeyRange::All()), descending));
        EXPECT_EQ(50u, scanned(space.Wrap(KeyRange::Prefix("0-")), descending));
        EXPECT_EQ(0u, scanned(space.In(Room::kDocuments).Wrap(KeyRange::All()), descending));
      }
    }
    EXPECT_EQ(2 * expected, scanned(KeySpace("main", "default").Wrap(KeyRange::All()), false));
    EXPECT_EQ(4 * expected + static_cast<std::size_t>(round) + 1, scanned(KeyRange::All(), false));
    EXPECT_EQ(4 * expected, *backend_->Count({spaces[0].prefix(), {}}, kNever));
  }
}

}  // namespace
}  // namespace holdfast::storage
