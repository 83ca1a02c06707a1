// Values that stand packed in the rows: what reads and compares them sees the value.
#include "service/backends/redis/entry_record.h"
#include "tests/unit/service/backends/redis/redis_bench.h"
#include "tests/waiting/eventually.h"

namespace holdfast::storage::redis_backend {
namespace {

using compression::Codec;

std::string Large(char letter = 'v') {
  return std::string(100'000, letter);
}

class RedisCompression : public RedisBench {
 protected:
  RedisCompression() { options_.compression = {Codec::kZstd, 3, 1}; }
  std::string RowBytes(const std::string& key) { return server().Cli({"STRLEN", "holdfast:e:" + key}).value(); }
  std::string Format(const std::string& key) {
    return server().Cli({"GETRANGE", "holdfast:e:" + key, "0", "0"}).value();
  }
};

TEST_F(RedisCompression, redis_RowsHoldTheValuePackedAndTheRatioIsCounted) {
  const auto backend = Open();
  ASSERT_TRUE(Run(*backend, Operation::Put("k", Large())).status.ok());
  EXPECT_EQ("2", Format("k"));
  EXPECT_LT(std::stoul(RowBytes("k")), 1'000u);
  EXPECT_EQ(Large(), Run(*backend, Operation::Get("k")).entry->value);
  const Statistics statistics = backend->statistics();
  EXPECT_EQ(Large().size(), statistics.uncompressed_bytes);
  EXPECT_GT(statistics.compressed_bytes, 0u);
  EXPECT_LT(statistics.compressed_bytes, 1'000u);
  EXPECT_LT(statistics.bytes, 1'000u);
}

TEST_F(RedisCompression, redis_AValueIsComparedWhateverItIsPackedWith) {
  const auto zstd = Open();
  options_.compression = {Codec::kLz4, 0, 1};
  const auto lz4 = Open();
  options_.compression = {};
  const auto none = Open();
  for (const auto* writer : {&zstd, &lz4, &none}) {
    ASSERT_TRUE(Run(**writer, Operation::Put("k", Large())).status.ok());
    for (const auto* other : {&zstd, &lz4, &none}) {
      EXPECT_EQ(Large(), Run(**other, Operation::Get("k")).entry->value);
      const auto wrong = Run(**other, Operation::Delete("k", Precondition::ValueIs(Large('w'))));
      ASSERT_FALSE(wrong.status.ok());
      EXPECT_EQ(ErrorCode::kVersionConflict, wrong.status.error().code());
      const auto same = Run(**other, Operation::Put("k", Large(), Precondition::ValueIs(Large())));
      EXPECT_TRUE(same.status.ok()) << same.status.error().ToString();
    }
  }
}

TEST_F(RedisCompression, redis_ATouchKeepsItAndACounterIsNeverPacked) {
  const auto backend = Open();
  ASSERT_TRUE(Run(*backend, Operation::Put("k", Large())).status.ok());
  ASSERT_TRUE(Run(*backend, Operation::Touch("k", Expiry::After(std::chrono::hours{1}))).status.ok());
  EXPECT_EQ(Large(), Run(*backend, Operation::Get("k")).entry->value);
  const auto refused = Run(*backend, Operation::Increment("k", 1));
  ASSERT_FALSE(refused.status.ok());
  EXPECT_EQ(ErrorCode::kFailedPrecondition, refused.status.error().code());
  // Digits that are no number, and would be none unpacked.
  ASSERT_TRUE(Run(*backend, Operation::Put("k", std::string(5'000, '1'))).status.ok());
  EXPECT_EQ("2", Format("k"));
  EXPECT_EQ(ErrorCode::kFailedPrecondition, Run(*backend, Operation::Increment("k", 1)).status.error().code());
  ASSERT_TRUE(Run(*backend, Operation::Put("n", "1111111111111111111")).status.ok());
  EXPECT_EQ("1", Format("n"));
  EXPECT_EQ(1'111'111'111'111'111'112, Run(*backend, Operation::Increment("n", 1)).number);
}

TEST_F(RedisCompression, redis_ScansTellTheSizesOfTheValues) {
  const auto backend = Open();
  Operation put = Operation::Put("k1", Large());
  // The head is longer than what a scan of keys reads first.
  put.metadata = R"({"m":")" + std::string(2'000, 'm') + "\"}";
  ASSERT_TRUE(Run(*backend, put).status.ok());
  ASSERT_TRUE(Run(*backend, Operation::Put("k2", Large())).status.ok());
  ASSERT_TRUE(Run(*backend, Operation::Put("k3", "small")).status.ok());
  for (const bool keys_only : {true, false}) {
    ScanRequest request;
    request.keys_only = keys_only;
    const auto page = backend->Scan(request, Deadline::After(std::chrono::seconds{20}));
    ASSERT_TRUE(page.ok()) << page.error().ToString();
    ASSERT_EQ(3u, page->entries.size());
    EXPECT_EQ(Large().size(), page->entries[0].value_bytes);
    EXPECT_EQ(put.metadata, page->entries[0].entry->metadata);
    EXPECT_EQ(Large().size(), page->entries[1].value_bytes);
    EXPECT_EQ(5u, page->entries[2].value_bytes);
    EXPECT_EQ(keys_only ? std::string() : Large(), page->entries[1].entry->value);
  }
  // A page counts what it will hold, not what the server holds.
  options_.limits.max_scan_bytes = Large().size() + 100;
  const auto bounded = Open();
  const auto page = bounded->Scan(ScanRequest{}, Deadline::After(std::chrono::seconds{20}));
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(1u, page->entries.size());
  EXPECT_FALSE(page->complete);
}

TEST_F(RedisCompression, redis_OthersHearOfTheValue) {
  class Listener : public ChangeListener {
   public:
    void OnChange(std::string_view, const EntryPtr& before, const EntryPtr& after, ChangeCause) noexcept override {
      const std::lock_guard lock(mutex);
      told.emplace_back(before ? before->value : "", after ? after->value : "");
    }
    std::mutex mutex;
    std::vector<std::pair<std::string, std::string>> told;
  };
  const auto listener = std::make_shared<Listener>();
  const auto watcher = Open(listener);
  const auto writer = Open();
  ASSERT_TRUE(Run(*writer, Operation::Put("k", Large())).status.ok());
  ASSERT_TRUE(Run(*writer, Operation::Delete("k")).status.ok());
  EXPECT_TRUE(Eventually([&] { return watcher->AwaitListener(); }));
  const std::lock_guard lock(listener->mutex);
  ASSERT_EQ(2u, listener->told.size());
  EXPECT_EQ(Large(), listener->told[0].second);
  EXPECT_EQ(Large(), listener->told[1].first);
}

// docs/formats/redis.md
TEST(PackedValue, IsLaidOutAsDocumented) {
  const auto packed = PackValue(Large(), {Codec::kLz4, 0, 1});
  ASSERT_TRUE(packed);
  EXPECT_EQ("10000100000", packed->substr(0, 11));
  EXPECT_EQ(Comparable(Large()).substr(0, 32), packed->substr(11, 32));
  EXPECT_EQ(Large(), Comparable(Large()).substr(32));
  EXPECT_FALSE(PackValue(std::string(63, 'v'), {Codec::kZstd, 0, 1}));
  EXPECT_FALSE(PackValue(Large(), {Codec::kNone, 0, 1}));
  EXPECT_FALSE(PackValue(Large(), {Codec::kZstd, 0, 200'000}));
}

TEST(PackedValue, ThatLiesIsCorruption) {
  std::string head("2");
  head.append("1700000000000123").append("1700000000000001").append("1700000000000002").append(16, '0');
  head.append(EncodeAttributes("", "", {}));
  const std::string packed = PackValue(Large(), {Codec::kZstd, 0, 1}).value();
  ASSERT_EQ(Large(), DecodeRecord(head + packed).value()->value);
  for (const std::size_t size : {std::size_t{0}, std::size_t{5}, std::size_t{20}, std::size_t{43}, packed.size() - 1}) {
    const auto cut = DecodeRecord(std::string(head).append(packed, 0, size));
    ASSERT_FALSE(cut.ok()) << size;
    EXPECT_EQ(ErrorCode::kCorruption, cut.error().code()) << size;
  }
  // More than anything may hold, and other than it does.
  for (const char* size : {"9999999999", "0000099999", "-000100000"}) {
    std::string lying = packed;
    lying.replace(1, 10, size);
    EXPECT_FALSE(DecodeRecord(head + lying).ok()) << size;
  }
}

}  // namespace
}  // namespace holdfast::storage::redis_backend
