#include "service/composition/failover_rows.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace holdfast::composition {
namespace {

using std::string_literals::operator""s;

storage::Entry Full() {
  storage::Entry entry;
  entry.value = "v\0v"s;
  entry.version = 7;
  entry.created_at = Timestamp{std::chrono::microseconds{1}};
  entry.updated_at = Timestamp{std::chrono::microseconds{2}};
  entry.expires_at = Timestamp{std::chrono::microseconds{3}};
  entry.content_type = "t";
  entry.metadata = "{}";
  entry.tags = {"x"};
  return entry;
}

TEST(FailoverRows, keys_keep_their_order_and_come_back) {
  const std::vector<std::string> keys{"",     "\0"s,   "\0\0"s, "\0\1"s, "\1", "\2",  "a",
                                      "a\0"s, "a\0b"s, "a\1",   "a\2",   "b",  "\xff"};
  for (std::size_t i = 0; i + 1 < keys.size(); ++i) {
    EXPECT_LT(FailoverKey(FailoverRow::kCopy, keys[i]), FailoverKey(FailoverRow::kCopy, keys[i + 1])) << i;
  }
  for (const std::string& key : keys) {
    EXPECT_EQ(KeyOfRow(FailoverRow::kCopy, FailoverKey(FailoverRow::kCopy, key)), key);
    EXPECT_EQ(KeyOfRow(FailoverRow::kJournal, FailoverKey(FailoverRow::kCopy, key)), std::nullopt);
    EXPECT_EQ(KeyOfConflict(ConflictKey(key, kSecondaryVersions + 5)), key);
    EXPECT_EQ(FailoverKey(FailoverRow::kCopy, key).find('\0'), std::string::npos);
  }
}

TEST(FailoverRows, a_bound_of_versions_comes_back_and_nothing_else_is_one) {
  EXPECT_EQ(EncodeVersionBound(kSecondaryVersions + 5), "4611686018427387909");
  EXPECT_EQ(DecodeVersionBound("4611686018427387909"), kSecondaryVersions + 5);
  for (const char* damaged : {"", "x", "5 ", "-5", "99999999999999999999"}) {
    EXPECT_EQ(DecodeVersionBound(damaged), std::nullopt) << damaged;
  }
}

TEST(FailoverRows, a_range_of_keys_is_a_range_of_rows) {
  const auto range = FailoverRange(FailoverRow::kCopy, storage::KeyRange::Prefix("store\0"s));
  EXPECT_TRUE(range.Contains(FailoverKey(FailoverRow::kCopy, "store\0ns\0kx"s)));
  EXPECT_FALSE(range.Contains(FailoverKey(FailoverRow::kCopy, "store2\0ns\0kx"s)));
  EXPECT_FALSE(range.Contains(FailoverKey(FailoverRow::kJournal, "store\0ns\0kx"s)));
  EXPECT_TRUE(FailoverRange(FailoverRow::kConflict, storage::KeyRange::All()).Contains(ConflictKey("a", 1)));
}

// docs/formats/failover-rows.md.
TEST(FailoverRows, the_bytes_are_those_of_the_format) {
  JournalRow row;
  row.entry = std::make_shared<const storage::Entry>(Full());
  row.base = 5;
  const std::string bytes = EncodeJournalRow(row);
  EXPECT_EQ(bytes,
            "\1p\5\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"
            "\7\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0"
            "\1\0\0\0t\2\0\0\0{}\1\0\0\0\1\0\0\0xv\0v"s);
  const auto read = DecodeJournalRow(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->base, 5u);
  EXPECT_EQ(read->base_expires_at, std::nullopt);
  EXPECT_EQ(read->entry->value, "v\0v"s);
  EXPECT_EQ(read->entry->tags, row.entry->tags);
  JournalRow deleted;
  deleted.base_expires_at = Timestamp{std::chrono::microseconds{9}};
  const auto none = DecodeJournalRow(EncodeJournalRow(deleted));
  ASSERT_TRUE(none);
  EXPECT_EQ(none->entry, nullptr);
  EXPECT_EQ(none->base_expires_at, deleted.base_expires_at);
  EXPECT_EQ(DecodeFailoverCopy(EncodeFailoverCopy(Full()))->version, 7u);
}

TEST(FailoverRows, what_is_damaged_is_no_row) {
  const std::string bytes = EncodeFailoverCopy(Full());
  for (std::size_t size = 0; size + 3 < bytes.size(); ++size) {
    EXPECT_EQ(DecodeFailoverCopy(std::string_view(bytes).substr(0, size)), nullptr) << size;
  }
  EXPECT_EQ(DecodeJournalRow("\2p"), std::nullopt);
}

}  // namespace
}  // namespace holdfast::composition
