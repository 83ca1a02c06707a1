#include "service/backends/redis/entry_record.h"

#include <gtest/gtest.h>

namespace holdfast::storage::redis_backend {
namespace {

std::string Record(std::string_view expires, const std::string& attributes, std::string_view value) {
  std::string record("1");
  record.append("1700000000000123")
      .append("1700000000000001")
      .append("1700000000000002")
      .append(expires)
      .append(attributes)
      .append(value);
  return record;
}

// docs/formats/redis.md
TEST(EntryRecord, AttributesAreLaidOutAsDocumented) {
  EXPECT_EQ("00000018" + std::string("\3\0a/b\2\0\0\0{}\2\0\1\0x\0\0", 18), EncodeAttributes("a/b", "{}", {"x", ""}));
  EXPECT_EQ("00000008" + std::string(8, '\0'), EncodeAttributes("", "", {}));
}

TEST(EntryRecord, ARecordIsReadAsTheScriptsWriteIt) {
  const std::string value("\0\r\n\xff", 4);
  const auto entry = DecodeRecord(Record("1700000000000003", EncodeAttributes("t", "{}", {"a", "b"}), value));
  ASSERT_TRUE(entry.ok()) << entry.error().ToString();
  EXPECT_EQ(1'700'000'000'000'123u, (*entry)->version);
  EXPECT_EQ(1'700'000'000'000'001, (*entry)->created_at.time_since_epoch().count());
  EXPECT_EQ(1'700'000'000'000'002, (*entry)->updated_at.time_since_epoch().count());
  ASSERT_TRUE((*entry)->expires_at);
  EXPECT_EQ(1'700'000'000'000'003, (*entry)->expires_at->time_since_epoch().count());
  EXPECT_EQ("t", (*entry)->content_type);
  EXPECT_EQ("{}", (*entry)->metadata);
  EXPECT_EQ((std::vector<std::string>{"a", "b"}), (*entry)->tags);
  EXPECT_EQ(value, (*entry)->value);

  const auto without = DecodeWithoutValue(Record("0000000000000000", EncodeAttributes("", "", {}), ""));
  ASSERT_TRUE(without.ok());
  EXPECT_FALSE((*without)->expires_at);
}

TEST(EntryRecord, WhatWasCutOffOrIsOfAnotherFormatIsCorruption) {
  const std::string record = Record("1700000000000003", EncodeAttributes("t", "{}", {"a"}), "");
  for (std::size_t size = 0; size < record.size(); ++size) {
    const auto cut = DecodeRecord(record.substr(0, size));
    ASSERT_FALSE(cut.ok()) << size;
    EXPECT_EQ(ErrorCode::kCorruption, cut.error().code());
  }
  for (const std::size_t place : {std::size_t{0}, std::size_t{5}, std::size_t{70}}) {
    std::string damaged = record;
    damaged[place] = '-';
    EXPECT_FALSE(DecodeRecord(damaged).ok()) << place;
  }
  // Tags that claim more than there is.
  EXPECT_FALSE(DecodeRecord(Record("0000000000000000", std::string("\0\0\0\0\0\0\xff\xff", 8), "")).ok());
}

TEST(EntryRecord, NumbersOutOfRangeBecomeTheNearestAndVersionsMatchNothing) {
  EXPECT_EQ("0000000000000001", Digits(-5));
  EXPECT_EQ("0000000000000042", Digits(42));
  EXPECT_EQ("9007199254740991", Digits(std::numeric_limits<std::int64_t>::max()));
  EXPECT_EQ("0000000000000042", VersionDigits(42));
  EXPECT_EQ("0000000000000000", VersionDigits(std::numeric_limits<Version>::max()));
  EXPECT_EQ(1, Storable(Timestamp{std::chrono::microseconds{-7}}).time_since_epoch().count());
}

}  // namespace
}  // namespace holdfast::storage::redis_backend
