#include "service/dual_write/range_hash.h"

#include <gtest/gtest.h>

#include <set>

namespace holdfast::dual_write {
namespace {

storage::Entry EntryOf(const std::string& value) {
  storage::Entry entry;
  entry.value = value;
  return entry;
}

std::uint64_t HashOf(const std::vector<std::pair<std::string, storage::Entry>>& entries) {
  RangeHash hash;
  for (const auto& [key, entry] : entries) hash.Add(key, entry);
  return hash.value();
}

TEST(RangeHash, DoesNotAskForTheOrder) {
  const storage::Entry a = EntryOf("1");
  const storage::Entry b = EntryOf("2");
  EXPECT_EQ(HashOf({{"a", a}, {"b", b}}), HashOf({{"b", b}, {"a", a}}));
  EXPECT_EQ(HashOf({}), 0U);
}

TEST(RangeHash, TellsWhatIsOtherwise) {
  storage::Entry tagged = EntryOf("1");
  tagged.tags = {"t"};
  storage::Entry expiring = EntryOf("1");
  expiring.expires_at = Timestamp{std::chrono::seconds{1}};
  const std::vector<std::uint64_t> hashes = {
      HashOf({}),
      HashOf({{"a", EntryOf("1")}}),
      HashOf({{"b", EntryOf("1")}}),
      HashOf({{"a", EntryOf("2")}}),
      HashOf({{"a", tagged}}),
      HashOf({{"a", expiring}}),
      HashOf({{"a", EntryOf("1")}, {"b", EntryOf("2")}}),
      HashOf({{"a", EntryOf("2")}, {"b", EntryOf("1")}}),
  };
  EXPECT_EQ(std::set<std::uint64_t>(hashes.begin(), hashes.end()).size(), hashes.size());
}

TEST(RangeHash, VersionsAndTimesOfWritingDoNotCount) {
  storage::Entry later = EntryOf("1");
  later.version = 7;
  later.created_at = later.updated_at = Timestamp{std::chrono::seconds{9}};
  EXPECT_EQ(HashOf({{"a", later}}), HashOf({{"a", EntryOf("1")}}));
}

// It stands in manifests, and so is the same in every release.
TEST(RangeHash, IsPublished) {
  EXPECT_EQ(HashOf({{"a", EntryOf("1")}, {"b", EntryOf("2")}}), 6449431991987411265U);
}

}  // namespace
}  // namespace holdfast::dual_write
