#include "service/documents/definition.h"

#include <gtest/gtest.h>

namespace holdfast::documents {
namespace {

Definition Incidents() {
  return {7, 4, {{1, "severity", IndexState::kReady}, {3, "cause.code", IndexState::kBuilding}}};
}

TEST(Definition, IsReadBackAsWritten) {
  Definition definition = Incidents();
  definition.indexes.push_back({2, "source", IndexState::kDropping, 64});
  const auto read = DecodeDefinition(EncodeDefinition(definition));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, definition);
}

TEST(Definition, ADamagedRowIsCorruption) {
  const std::string row = EncodeDefinition(Incidents());
  for (const std::string& damaged :
       {std::string(), std::string("collection 1\n"), std::string("collection 2\nnumber 7\n"),
        std::string("collection 1\nnumber x\n"), std::string("collection 1\nnumber 7\nlost 1 256 severity\n"),
        std::string("collection 1\nnumber 7\nready 1 256 \n"),
        std::string("collection 1\nnumber 7\nready 1 severity\n"), row.substr(0, row.size() - 1)}) {
    const auto read = DecodeDefinition(damaged);
    ASSERT_FALSE(read.ok()) << damaged;
    EXPECT_EQ(read.error().code(), ErrorCode::kCorruption);
  }
}

TEST(Definition, NewPathsAreBuiltKnownOnesStayOthersAreDropped) {
  const Definition after = WithIndexes(Incidents(), {"cause.code", "state"}, false, {});
  EXPECT_EQ(after, (Definition{7,
                               5,
                               {{3, "cause.code", IndexState::kBuilding},
                                {4, "state", IndexState::kBuilding},
                                {1, "severity", IndexState::kDropping}}}));
  EXPECT_TRUE(after.Unfinished());
  EXPECT_EQ(after.Find("severity"), nullptr);
  EXPECT_NE(after.Find("state"), nullptr);
}

TEST(Definition, APathThatComesBackGetsANewNumber) {
  const Definition dropped = WithIndexes(Incidents(), {"cause.code"}, false, {});
  const Definition back = WithIndexes(dropped, {"cause.code", "severity"}, false, {});
  ASSERT_NE(back.Find("severity"), nullptr);
  EXPECT_EQ(back.Find("severity")->number, 4u);
  EXPECT_EQ(back.indexes.size(), 3u);
}

TEST(Definition, NothingIsBuiltWhereNothingStands) {
  const Definition after = WithIndexes(Definition{7, 1, {}}, {"severity"}, true, {});
  EXPECT_EQ(after.indexes.front().state, IndexState::kReady);
  EXPECT_FALSE(after.Unfinished());
}

TEST(Definition, NamesAreChecked) {
  for (const char* name : {"incidents", "a", "0", "A.b_c-d"}) EXPECT_TRUE(CheckCollectionName(name).ok()) << name;
  for (const std::string& name : {std::string(), std::string("-a"), std::string(".."), std::string("a/b"),
                                  std::string("a\0b", 3), std::string("\xc3\xa4"), std::string(64, 'a')}) {
    EXPECT_FALSE(CheckCollectionName(name).ok()) << name;
  }
}

TEST(Definition, PathsAreCheckedAndTheMessageNamesTheSetting) {
  CollectionLimits limits;
  limits.max_indexes = 2;
  limits.max_path_depth = 2;
  EXPECT_TRUE(CheckIndexPaths({}, limits).ok());
  EXPECT_TRUE(CheckIndexPaths({"a", "b.c-d_E9"}, limits).ok());
  for (const std::string& path : {std::string(), std::string("."), std::string("a."), std::string(".a"),
                                  std::string("a..b"), std::string("a b"), std::string(257, 'a')}) {
    EXPECT_FALSE(CheckIndexPaths({path}, limits).ok()) << path;
  }
  EXPECT_NE(CheckIndexPaths({"a.b.c"}, limits).error().message().find("limits.index_depth"), std::string::npos);
  EXPECT_NE(CheckIndexPaths({"a", "b", "c"}, limits).error().message().find("limits.collection_indexes"),
            std::string::npos);
  EXPECT_NE(CheckIndexPaths({"a", "a"}, limits).error().message().find("twice"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::documents
