#include "service/storage/types.h"

#include <gtest/gtest.h>

namespace holdfast::storage {
namespace {

TEST(KeyRange, PrefixEndsAtTheNextStringThatHasItNot) {
  EXPECT_EQ("b", KeyRange::Prefix("a").end);
  EXPECT_EQ("ab", KeyRange::Prefix("aa").end);
  EXPECT_EQ("b", KeyRange::Prefix("a\xff").end);
  EXPECT_EQ("b", KeyRange::Prefix("a\xff\xff").end);
  EXPECT_EQ("\x80", KeyRange::Prefix("\x7f").end);
  EXPECT_EQ("\xff", KeyRange::Prefix("\xfe\xff").end);
  EXPECT_FALSE(KeyRange::Prefix("").end);
  EXPECT_FALSE(KeyRange::Prefix("\xff").end);
  EXPECT_FALSE(KeyRange::Prefix("\xff\xff").end);
}

TEST(KeyRange, ContainsExactlyTheKeysWithThePrefix) {
  std::vector<std::string> keys = {""};
  for (const std::string& part : {std::string(1, '\0'), std::string("a"), std::string("b"), std::string("\xff")}) {
    for (const std::string& other : {std::string(), std::string("a"), std::string("\xff"), std::string("\xff\xff")}) {
      keys.push_back(part + other);
    }
  }
  for (const std::string& prefix : keys) {
    for (const std::string& key : keys) {
      EXPECT_EQ(key.starts_with(prefix), KeyRange::Prefix(prefix).Contains(key));
    }
  }
}

TEST(KeyRange, IntersectionContainsWhatBothContain) {
  const std::vector<std::optional<std::string>> ends = {std::nullopt, "", "a", "b", "c"};
  std::vector<KeyRange> ranges;
  for (const std::string start : {"", "a", "b", "c"}) {
    for (const auto& end : ends) ranges.push_back({start, end});
  }
  for (const KeyRange& a : ranges) {
    for (const KeyRange& b : ranges) {
      for (const std::string key : {"", "0", "a", "aa", "b", "bb", "c", "d"}) {
        EXPECT_EQ(a.Contains(key) && b.Contains(key), a.Intersect(b).Contains(key));
      }
    }
  }
}

TEST(Operation, FactoriesSayWhatTheyMake) {
  EXPECT_EQ("get", OperationKindName(Operation::Get("k").kind));
  EXPECT_EQ("put", OperationKindName(Operation::Put("k", "v").kind));
  EXPECT_EQ("delete", OperationKindName(Operation::Delete("k").kind));
  EXPECT_EQ("take", OperationKindName(Operation::Take("k").kind));
  EXPECT_EQ("touch", OperationKindName(Operation::Touch("k", Expiry::Never()).kind));
  EXPECT_EQ("increment", OperationKindName(Operation::Increment("k", 1).kind));
  EXPECT_EQ(Expiry::Kind::kKeep, Operation::Increment("k", 1).expiry.kind);
  EXPECT_EQ(Expiry::Kind::kNever, Operation::Put("k", "v").expiry.kind);
  const Operation take = Operation::Take("k", Precondition::VersionIs(7));
  EXPECT_EQ("k", take.key);
  EXPECT_EQ(7u, take.precondition.version);
}

}  // namespace
}  // namespace holdfast::storage
