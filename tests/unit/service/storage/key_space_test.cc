#include "service/storage/key_space.h"

#include <gtest/gtest.h>

namespace holdfast::storage {
namespace {

using namespace std::string_literals;

TEST(KeySpace, PutsStoreNamespaceAndRoomInFront) {
  const KeySpace space = KeySpace("main", "team-a").In(Room::kKeys);
  EXPECT_EQ("main\0team-a\0k"s, space.prefix());
  EXPECT_EQ("main\0team-a\0kwindow:1"s, space.Wrap("window:1"));
  EXPECT_EQ("window:1", space.Unwrap("main\0team-a\0kwindow:1"s));
}

TEST(KeySpace, AnUnboundedRangeEndsWithTheSpace) {
  const KeySpace space = KeySpace("main", "team-a").In(Room::kKeys);
  const KeyRange all = space.Wrap(KeyRange::All());
  EXPECT_TRUE(all.Contains(space.Wrap("")));
  EXPECT_TRUE(all.Contains(space.Wrap("\xff\xff\xff")));
  for (const KeySpace& other : {KeySpace("main", "team-a").In(Room::kLocks), KeySpace("main", "team").In(Room::kKeys),
                                KeySpace("main", "team-a0").In(Room::kKeys), KeySpace("mai", "team-a").In(Room::kKeys),
                                KeySpace("main", kSystemNamespace).In(Room::kKeys)}) {
    EXPECT_FALSE(all.Contains(other.Wrap(""))) << other.prefix();
    EXPECT_FALSE(all.Contains(other.Wrap("\xff\xff"))) << other.prefix();
  }
}

TEST(KeySpace, WrapsEveryKeyOfATransaction) {
  const KeySpace space("main", "default");
  Transaction transaction;
  transaction.conditions = {{"a", Precondition::Absent()}};
  transaction.then = {Operation::Put("b", "1")};
  transaction.otherwise = {Operation::Get("c")};
  space.Wrap(transaction);
  EXPECT_EQ(space.Wrap("a"), transaction.conditions[0].key);
  EXPECT_EQ(space.Wrap("b"), transaction.then[0].key);
  EXPECT_EQ(space.Wrap("c"), transaction.otherwise[0].key);
}

TEST(KeySpace, AKeyIsTakenApartAgain) {
  const std::string key = KeySpace("main", "team-a").In(Room::kDocuments).Wrap("x\0y"s);
  const auto place = FindPlace(key);
  ASSERT_TRUE(place);
  EXPECT_EQ("main", place->store);
  EXPECT_EQ("team-a", place->name_space);
  EXPECT_EQ(Room::kDocuments, place->room);
  EXPECT_EQ("x\0y"s, place->key);
  for (const std::string& foreign : {""s, "main"s, "main\0team"s, "main\0team\0"s}) {
    EXPECT_FALSE(FindPlace(foreign)) << foreign;
  }
}

TEST(KeySpace, NamespacesAreDnsLabels) {
  for (const std::string& name : {"a"s, "team-a"s, "0"s, std::string(63, 'x')}) EXPECT_TRUE(IsValidNamespace(name));
  for (const std::string& name : {""s, "-a"s, "a-"s, "A"s, "a_b"s, "a.b"s, "a\0b"s, std::string(64, 'x')}) {
    EXPECT_FALSE(IsValidNamespace(name)) << name;
  }
}

}  // namespace
}  // namespace holdfast::storage
