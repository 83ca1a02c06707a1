#include "service/composition/cached_copy.h"

#include <gtest/gtest.h>

#include <set>

#include "service/storage/key_space.h"

namespace holdfast::composition {
namespace {

using std::chrono::microseconds;

storage::Entry Whole() {
  storage::Entry entry;
  entry.value = std::string("\0\xff value", 8);
  entry.version = 1'234'567'890'123;
  entry.created_at = Timestamp{microseconds{1'700'000'000'000'001}};
  entry.updated_at = Timestamp{microseconds{1'700'000'000'000'002}};
  entry.expires_at = Timestamp{microseconds{1'700'000'000'000'003}};
  entry.content_type = "text/plain";
  entry.metadata = R"({"a":1})";
  entry.tags = {"x", "", std::string(100, 't')};
  return entry;
}

TEST(CachedCopy, IsWhatItWasMadeOf) {
  const storage::Entry entry = Whole();
  const auto copy = DecodeCopy(EncodeCopy({7, 9}, &entry));
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->stamp, (Stamp{7, 9}));
  ASSERT_TRUE(copy->entry);
  EXPECT_EQ(copy->entry->value, entry.value);
  EXPECT_EQ(copy->entry->version, entry.version);
  EXPECT_EQ(copy->entry->created_at, entry.created_at);
  EXPECT_EQ(copy->entry->updated_at, entry.updated_at);
  EXPECT_EQ(copy->entry->expires_at, entry.expires_at);
  EXPECT_EQ(copy->entry->content_type, entry.content_type);
  EXPECT_EQ(copy->entry->metadata, entry.metadata);
  EXPECT_EQ(copy->entry->tags, entry.tags);

  const auto plain = DecodeCopy(EncodeCopy({1, 2}, std::make_shared<storage::Entry>().get()));
  ASSERT_TRUE(plain && plain->entry);
  EXPECT_FALSE(plain->entry->expires_at);
  EXPECT_TRUE(plain->entry->value.empty());
}

TEST(CachedCopy, RemembersThatThereIsNone) {
  const auto copy = DecodeCopy(EncodeCopy({7, 9}, nullptr));
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->stamp, (Stamp{7, 9}));
  EXPECT_FALSE(copy->entry);
}

// A cache that others write to may hold anything.
TEST(CachedCopy, WhatIsCutOffOrForeignIsNone) {
  const storage::Entry entry = Whole();
  const std::string bytes = EncodeCopy({7, 9}, &entry);
  const std::size_t before_value = bytes.size() - entry.value.size();
  for (std::size_t length = 0; length < before_value; ++length) EXPECT_FALSE(DecodeCopy(bytes.substr(0, length)));
  EXPECT_FALSE(DecodeCopy(""));
  EXPECT_FALSE(DecodeCopy("something else entirely, and long enough to be taken for a copy of an entry"));
  std::string tags = bytes;
  tags[before_value - 4 - 100 - 4 - 4 - 1 - 4] = '\xff';  // the number of tags
  EXPECT_FALSE(DecodeCopy(tags));
}

TEST(CachedCopy, KeysOfCopiesAreInNoKeySpaceAndAllDifferent) {
  const std::string key = storage::KeySpace("main", "team").In(storage::Room::kKeys).Wrap("k");
  EXPECT_TRUE(storage::FindPlace(key));
  EXPECT_FALSE(storage::FindPlace(CopyKey(key)));
  std::set<std::string> copies;
  std::size_t keys = 0;
  for (const char a : {'\0', '\1', '\2', 'x'}) {
    for (const char b : {'\0', '\1', '\2', 'x'}) {
      for (const char c : {'\0', '\1', '\2', 'x'}) {
        copies.insert(CopyKey(std::string{a, b, c}));
        copies.insert(CopyKey(std::string{a, b}));
        ++keys;
      }
    }
  }
  EXPECT_EQ(copies.size(), keys + 16);
}

}  // namespace
}  // namespace holdfast::composition
