#include "service/durability/checkpoint_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/storage/crc32c.h"
#include "service/storage/entry_attributes.h"
#include "tests/unit/service/durability/checkpoint_bytes.h"

namespace holdfast::durability {
namespace {

std::vector<storage::KeyedEntry> Some() {
  storage::Entry plain;
  plain.value = "hello";
  plain.version = 1;
  storage::Entry full;
  full.value = std::string("\0\xff", 2);
  full.version = 7;
  full.created_at = Timestamp{std::chrono::microseconds{-5}};
  full.updated_at = Timestamp{std::chrono::microseconds{1'795'240'000'000'001}};
  full.expires_at = Timestamp{std::chrono::microseconds{1'795'240'000'000'002}};
  full.content_type = "text/plain";
  full.metadata = R"({"n":1.50})";
  full.tags = {"eu", ""};
  return {Item(std::string("default\0ka", 10), plain), Item(std::string("default\0kgreeting", 17), plain),
          Item(std::string("team\0kb", 7), full)};
}

// docs/formats/checkpoint.md shows this one.
TEST(CheckpointFormat, GoldenBytesStand) {
  storage::Entry entry;
  entry.value = "hello";
  entry.version = 1;
  const Written written = Write({Item(std::string("default\0kgreeting", 17), entry)});
  EXPECT_EQ(Hex(written.bytes),
            "894846434b0d0a1a0100000021000000"
            "01010240727ee2c2600600096e696768746c792d31046d61696e066d656d6f72"
            "79d077a2b601003100000031000000010000001164656661756c74006b677265"
            "6574696e67000100000000000000000000000000000000000000000000000568"
            "656c6c6f3cb7a0e6020100000000000000160000000000000001000000000000"
            "00bd00000000000000e6b5b07c5681df7961fa486ed5d31e727a179d6e17cabf"
            "65cd8817308bf156bac80293df");
}

TEST(CheckpointFormat, EverythingOfAnEntryComesBack) {
  const auto items = Some();
  const Written written = Write(items);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::string::npos}) {
    const auto read = ReadAll(SourceOf(written.bytes, piece));
    ASSERT_TRUE(read.ok()) << read.error().ToString();
    EXPECT_TRUE(std::equal(read->begin(), read->end(), items.begin(), items.end(), Same)) << piece;
  }
}

TEST(CheckpointFormat, HeaderAndSummaryComeBack) {
  const Written written = Write(Some());
  const auto valid = ValidateCheckpoint(SourceOf(written.bytes));
  ASSERT_TRUE(valid.ok()) << valid.error().ToString();
  EXPECT_EQ(valid->header.id, "nightly-1");
  EXPECT_EQ(valid->header.store, "main");
  EXPECT_EQ(valid->header.backend, "memory");
  EXPECT_EQ(valid->header.created_at, SomeHeader().created_at);
  EXPECT_EQ(valid->header.reason, CheckpointReason::kRequested);
  EXPECT_EQ(valid->header.consistency, storage::SnapshotConsistency::kPointInTime);
  EXPECT_EQ(valid->summary.entries, 3U);
  EXPECT_EQ(valid->summary.file_bytes, written.bytes.size());
  EXPECT_EQ(valid->summary.digest, written.summary.digest);
}

TEST(CheckpointFormat, EmptyStoreHasACheckpoint) {
  const Written written = Write({});
  const auto read = ReadAll(SourceOf(written.bytes));
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  EXPECT_TRUE(read->empty());
}

TEST(CheckpointFormat, KeysOutOfOrderAreRefused) {
  CheckpointWriter writer([](std::string_view) { return Status(); }, {});
  ASSERT_TRUE(writer.Begin(SomeHeader()).ok());
  ASSERT_TRUE(writer.Add("b", {}).ok());
  for (const char* key : {"a", "b"}) {
    const Status added = writer.Add(key, {});
    ASSERT_FALSE(added.ok());
    EXPECT_EQ(added.error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST(CheckpointFormat, SinkThatFailsEndsTheWriting) {
  std::size_t taken = 0;
  CheckpointWriter writer(
      [&taken](std::string_view bytes) -> Status {
        taken += bytes.size();
        if (taken > kBlockBytes) return Error(ErrorCode::kResourceExhausted, "the disk is full");
        return {};
      },
      {});
  ASSERT_TRUE(writer.Begin(SomeHeader()).ok());
  Status added;
  std::uint64_t random = 1;
  for (int i = 0; i < 10'000 && added.ok(); ++i) {
    storage::Entry entry;
    for (int word = 0; word < 100; ++word) {
      random = random * 6364136223846793005U + 1442695040888963407U;
      entry.value.append(reinterpret_cast<const char*>(&random), sizeof random);
    }
    added = writer.Add(std::to_string(1'000'000 + i), entry);
  }
  ASSERT_FALSE(added.ok());
  EXPECT_EQ(added.error().message(), "the disk is full");
}

TEST(CheckpointFormat, AnotherFormatIsNotTakenForDamage) {
  std::string header = EncodeHeader(SomeHeader());
  header[8] = 2;
  header.resize(header.size() - kChecksumBytes);
  storage::AppendFixed(header, storage::Crc32c(header));
  const auto other = DecodeHeader(header);
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(other.error().message(), testing::HasSubstr("format 2"));
}

// The same in as many threads as there may be: blocks are in the order in which they were filled.
TEST(CheckpointFormat, BytesDoNotDependOnThreads) {
  std::vector<storage::KeyedEntry> items;
  for (int i = 0; i < 30; ++i) {
    storage::Entry entry;
    entry.value = std::string(200'000, static_cast<char>('a' + i % 26));
    items.push_back(Item(std::to_string(100 + i), std::move(entry)));
  }
  const Written one = Write(items, {.threads = 1});
  const Written four = Write(items, {.threads = 4});
  EXPECT_GT(one.summary.blocks, 4U);
  EXPECT_EQ(one.bytes, four.bytes);
}

}  // namespace
}  // namespace holdfast::durability
