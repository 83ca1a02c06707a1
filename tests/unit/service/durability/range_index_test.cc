// The index of the ranges and the header of an increment are published formats: docs/formats/range-index.md and
// checkpoint.md have the bytes below as their examples.
#include "service/durability/range_index.h"

#include <gmock/gmock.h>

#include "tests/unit/service/durability/checkpoint_bytes.h"

namespace holdfast::durability {
namespace {

storage::Entry Hello() {
  storage::Entry entry;
  entry.value = "hello";
  entry.version = 1;
  return entry;
}

// Short enough for nothing to be compressed.
const std::string kKey("default\0kgreet", 14);

std::string WriteIndex(const std::vector<storage::KeyedEntry>& records) {
  std::string bytes;
  CheckpointWriter writer(
      [&bytes](std::string_view some) {
        bytes += some;
        return Status();
      },
      {.threads = 1});
  CheckpointHeader header = SomeHeader();
  header.kind = CheckpointKind::kRanges;
  EXPECT_TRUE(writer.Begin(header).ok());
  for (const storage::KeyedEntry& record : records) EXPECT_TRUE(writer.Add(record.key, *record.entry).ok());
  EXPECT_TRUE(writer.Finish().ok());
  return bytes;
}

TEST(RangeIndex, GoldenBytesStand) {
  RangeDigester digester;
  digester.Add(kKey, Hello());
  const IndexedRange range{kKey, std::nullopt, 2, 1, digester.Finish()};
  EXPECT_EQ(Hex(WriteIndex({Item(kKey, EncodeRange(range))})),
            "894846434b0d0a1a010000002100000003010240727ee2c2600600096e696768"
            "746c792d31046d61696e066d656d6f72798e21d00201003e0000003e00000001"
            "0000000e64656661756c74006b67726565740000000000000000000000000000"
            "0000000000000000000000150201000000dd8d570f18700fe836ab9b0afe501f"
            "32f67cfc0e02010000000000000023000000000000000100000000000000ca00"
            "00000000000019713c8ccc405bb19761396a436497eb4ec1dfbf0020c23320f7"
            "c27de03a47c1b8762370");
}

TEST(RangeIndex, GoldenHeaderOfAnIncrementStands) {
  CheckpointHeader header = SomeHeader();
  header.kind = CheckpointKind::kIncrement;
  header.parent.fill('\x03');
  const std::string bytes = EncodeHeader(header);
  EXPECT_EQ(Hex(bytes),
            "894846434b0d0a1a010000004100000002010240727ee2c2600600096e696768"
            "746c792d31046d61696e066d656d6f7279030303030303030303030303030303"
            "0303030303030303030303030303030303086e5e5c");
  const auto decoded = DecodeHeader(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.error().ToString();
  EXPECT_EQ(decoded->kind, CheckpointKind::kIncrement);
  EXPECT_EQ(decoded->parent, header.parent);
}

// A release that cut otherwise would make full backups of its first increments.
TEST(RangeIndex, WhereRangesBeginStands) {
  std::string begins;
  for (int i = 0; i < 64; ++i) begins += BeginsRange("key-" + std::to_string(i), 0) ? '|' : '.';
  EXPECT_EQ(begins, "...........|..................................|.......|...|.....");
  EXPECT_FALSE(BeginsRange("key-0", kRangeBytes - 1));
  EXPECT_TRUE(BeginsRange("key-0", kRangeBytes));
}

TEST(RangeIndex, RangesComeBackWithTheirEnds) {
  IndexedRange range{"a", "c", 7, 3, {}};
  range.digest.fill('\x05');
  auto reader =
      RangeIndexReader::Open(SourceOf(WriteIndex({Item("a", EncodeRange(range)), Item("c", EncodeRange(range))})));
  ASSERT_TRUE(reader.ok());
  const auto first = reader->Next();
  ASSERT_TRUE(first.ok() && *first);
  EXPECT_EQ((*first)->first, "a");
  EXPECT_EQ((*first)->end, "c");
  EXPECT_EQ((*first)->link, 7);
  EXPECT_EQ((*first)->entries, 3U);
  EXPECT_EQ((*first)->digest, range.digest);
  const auto second = reader->Next();
  ASSERT_TRUE(second.ok() && *second);
  EXPECT_EQ((*second)->end, std::nullopt);
  EXPECT_EQ(*reader->Next(), std::nullopt);
}

TEST(RangeIndex, ARecordThatIsNoneIsDamage) {
  storage::Entry none = EncodeRange({"a", std::nullopt, 0, 0, {}});
  storage::Entry cut = EncodeRange({"a", std::nullopt, 0, 1, {}});
  cut.value.pop_back();
  storage::Entry longer = EncodeRange({"a", std::nullopt, 0, 1, {}});
  longer.value.push_back('x');
  for (const storage::Entry& record : {none, cut, longer}) {
    const std::string bytes = WriteIndex({Item("a", record)});
    auto reader = RangeIndexReader::Open(SourceOf(bytes));
    ASSERT_TRUE(reader.ok());
    EXPECT_EQ(reader->Next().error().code(), ErrorCode::kCorruption);
  }
}

}  // namespace
}  // namespace holdfast::durability
