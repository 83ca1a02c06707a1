#include "service/backup/change_segment.h"

#include <gtest/gtest.h>

#include "service/backup/hex.h"
#include "tests/unit/service/backup/backup_fixture.h"

namespace holdfast::backup {
namespace {

using storage::KeyChange;

constexpr auto kBegin = Timestamp{std::chrono::microseconds{1'795'240'000'000'000}};

SegmentHeader Header() {
  SegmentHeader header;
  header.number = 2;
  header.previous.fill('p');
  header.since = 1;
  header.from = kBegin;
  header.until = kBegin + std::chrono::seconds{1};
  header.store = "main";
  header.backend = "memory";
  header.position = "listened 0 3";
  return header;
}

std::vector<KeyChange> Some() {
  storage::Entry entry;
  entry.value = "hello";
  entry.version = 1;
  entry.tags = {"eu"};
  entry.metadata = R"({"n":1})";
  entry.expires_at = kBegin + std::chrono::hours{1};
  const std::string key("default\0kgreeting", 17);
  return {{key, kBegin + std::chrono::microseconds{1}, std::make_shared<storage::Entry>(entry)},
          {key, kBegin + std::chrono::microseconds{2}, nullptr}};
}

std::string Plain() {
  return EncodeSegment(Header(), Some(), {}, 1, "");
}

// docs/formats/change-segment.md shows this one.
TEST(ChangeSegment, GoldenBytesStand) {
  EXPECT_EQ(ToHex(Plain()),
            "894846434c0d0a1a010000000066000000020000000000000070707070707070"
            "7070707070707070707070707070707070707070707070707001000000000000"
            "0000907ce2c260060040d28be2c2600600020000000000000001000000046d61"
            "696e066d656d6f72790c6c697374656e656420302033005e6691220103530000"
            "00690000000200000028b52ffd206955020004041164656661756c74006b6772"
            "656574696e6701907ce2c2600600010d01003410b9c3600600077b226e223a31"
            "7d010265750568656c6c6f02907ce2c260060000020045c11bd6200f451c8847"
            "a13a8210ada43a5d87859e44f30f032f6f9f90ead41ad278c7ed85eb58ecd75c");
}

TEST(ChangeSegment, EverythingComesBack) {
  const SegmentKey keyed{KeyOf('k'), "main.changes/log"};
  for (const SegmentKey& key : {SegmentKey{}, keyed}) {
    const std::string bytes = EncodeSegment(Header(), Some(), key, 1, RandomBytes(kSaltBytes));
    const auto segment = DecodeSegment(bytes, 2, key);
    ASSERT_TRUE(segment.ok()) << segment.error().ToString();
    EXPECT_EQ(segment->header.previous, Header().previous);
    EXPECT_EQ(segment->header.position, "listened 0 3");
    EXPECT_EQ(segment->header.until, Header().until);
    ASSERT_EQ(segment->changes.size(), 2U);
    EXPECT_EQ(segment->changes[0].entry->value, "hello");
    EXPECT_EQ(segment->changes[0].entry->metadata, R"({"n":1})");
    EXPECT_EQ(segment->changes[0].entry->tags, Some()[0].entry->tags);
    EXPECT_EQ(segment->changes[0].entry->expires_at, Some()[0].entry->expires_at);
    EXPECT_EQ(segment->changes[1].entry, nullptr);
    EXPECT_EQ(segment->changes[1].at, Some()[1].at);
  }
}

TEST(ChangeSegment, LargeOnesAreCutIntoBlocks) {
  std::vector<KeyChange> changes;
  for (std::uint32_t i = 0; i < 30; ++i) {
    storage::Entry entry;
    const std::size_t bytes = i == 7 ? 3'000'000 : 100'000;
    entry.value.append(durability::Noise(bytes, i));
    changes.push_back({"default" + std::string("\0k", 2) + std::to_string(i), kBegin,
                       std::make_shared<storage::Entry>(std::move(entry))});
  }
  const auto segment = DecodeSegment(EncodeSegment(Header(), changes, {}, 1, ""), 2, {});
  ASSERT_TRUE(segment.ok()) << segment.error().ToString();
  ASSERT_EQ(segment->changes.size(), changes.size());
  for (std::size_t i = 0; i < changes.size(); ++i) {
    EXPECT_EQ(segment->changes[i].key, changes[i].key);
    EXPECT_EQ(segment->changes[i].entry->value, changes[i].entry->value);
  }
}

TEST(ChangeSegment, OneFlippedByteOrACutAnywhereIsRefused) {
  const SegmentKey keyed{KeyOf('k'), "main.changes/log"};
  for (const SegmentKey& key : {SegmentKey{}, keyed}) {
    const std::string bytes = EncodeSegment(Header(), Some(), key, 1, RandomBytes(kSaltBytes));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      std::string flipped = bytes;
      flipped[i] = static_cast<char>(flipped[i] ^ 1);
      const auto read = DecodeSegment(flipped, 2, key);
      ASSERT_FALSE(read.ok()) << i;
      EXPECT_EQ(read.error().code(), ErrorCode::kCorruption) << i;
      const auto cut = DecodeSegment(std::string_view(bytes).substr(0, i), 2, key);
      ASSERT_FALSE(cut.ok()) << i;
      EXPECT_EQ(cut.error().code(), ErrorCode::kCorruption) << i;
    }
    EXPECT_FALSE(DecodeSegment(bytes + '\0', 2, key).ok());
  }
}

// Whoever can write to the target can give damage a SHA-256 that fits; then what is inside has to hold by itself.
TEST(ChangeSegment, DamageWithASumThatFitsIsRefusedToo) {
  const std::string bytes = Plain();
  const std::size_t signed_bytes = bytes.size() - sizeof(durability::Digest);
  for (std::size_t i = 0; i < signed_bytes; ++i) {
    std::string flipped = bytes.substr(0, signed_bytes);
    flipped[i] = static_cast<char>(flipped[i] ^ 1);
    const durability::Digest digest = DigestOf(flipped);
    flipped.append(digest.data(), digest.size());
    EXPECT_FALSE(DecodeSegment(flipped, 2, {}).ok()) << i;
  }
}

TEST(ChangeSegment, IsBoundToItsNameItsKeyAndItsPlace) {
  const SegmentKey keyed{KeyOf('k'), "main.changes/log"};
  const std::string bytes = EncodeSegment(Header(), Some(), keyed, 1, RandomBytes(kSaltBytes));
  const auto code_of = [&](std::uint64_t number, const SegmentKey& key, const std::string& what) {
    const auto read = DecodeSegment(what, number, key);
    return read.ok() ? ErrorCode::kInternal : read.error().code();
  };
  EXPECT_EQ(code_of(3, keyed, bytes), ErrorCode::kCorruption);
  EXPECT_EQ(code_of(3, {}, Plain()), ErrorCode::kCorruption);
  EXPECT_EQ(code_of(2, {KeyOf('k'), "other.changes/log"}, bytes), ErrorCode::kCorruption);
  EXPECT_EQ(code_of(2, {KeyOf('x'), "main.changes/log"}, bytes), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(code_of(2, {}, bytes), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(code_of(2, keyed, Plain()), ErrorCode::kFailedPrecondition);
}

TEST(ChangeSegment, NamesSortAsTheirNumbersAndNoOtherNameIsOne) {
  EXPECT_EQ(SegmentName(7), "000000000007");
  EXPECT_EQ(SegmentNumber("000000000007"), 7U);
  for (const char* name : {"", "7", "000000000000", "00000000000x", "0000000000071", "-00000000007"}) {
    EXPECT_EQ(SegmentNumber(name), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace holdfast::backup
