#include "service/documents/rows.h"

#include <gtest/gtest.h>

#include "service/documents/index_value.h"
#include "service/storage/backend.h"
#include "service/storage/key_space.h"

namespace holdfast::documents {
namespace {

TEST(Rows, DefinitionsAreApartFromTheRoomsOwnRows) {
  EXPECT_TRUE(AllDefinitions().Contains(DefinitionKey("0")));
  EXPECT_EQ(CollectionOf(DefinitionKey("incidents")), "incidents");
  for (const std::string& own : {NextCollectionKey(), ProgressKey(1, 2), RemovalKey(3)}) {
    EXPECT_FALSE(AllDefinitions().Contains(own));
  }
  EXPECT_TRUE(AllRemovals().Contains(RemovalKey(3)));
  EXPECT_EQ(RemovedCollectionOf(RemovalKey(0x0102030405060708)), 0x0102030405060708u);
  EXPECT_EQ(RemovedCollectionOf(ProgressKey(1, 2)), std::nullopt);
}

TEST(Rows, CollectionsAndIndexesDoNotMix) {
  EXPECT_TRUE(DocumentsOf(255).Contains(DocumentKey(255, "a")));
  EXPECT_FALSE(DocumentsOf(255).Contains(DocumentKey(256, "a")));
  EXPECT_EQ(DocumentIdOf(DocumentKey(7, "a/b")), "a/b");
  const std::string row = IndexRowKey(7, 2, EncodeIndexValue(std::string("P0"), 64), "id");
  EXPECT_TRUE(IndexRowsOf(7, 2).Contains(row));
  EXPECT_TRUE(IndexRowsOf(7).Contains(row));
  EXPECT_FALSE(IndexRowsOf(7, 1).Contains(row));
  EXPECT_FALSE(IndexRowsOf(8).Contains(row));
}

TEST(Rows, AnIndexRowGivesValueAndIdBack) {
  const std::string value = EncodeIndexValue(std::string("a\0b", 3), 64);
  const std::string key = IndexRowKey(7, 2, value, "id");
  const auto row = ParseIndexRow(key);
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(row->value, value);
  EXPECT_EQ(row->id, "id");
  EXPECT_EQ(ParseIndexRow(key.substr(0, key.size() - 2)), std::nullopt);
  EXPECT_EQ(ParseIndexRow("x"), std::nullopt);
}

TEST(Rows, ARangeOfValuesStaysInItsIndex) {
  const auto open = IndexRowsOf(7, 2, {EncodeIndexValue(std::int64_t{5}, 64), std::nullopt});
  EXPECT_TRUE(open.Contains(IndexRowKey(7, 2, EncodeIndexValue(std::int64_t{5}, 64), "a")));
  EXPECT_FALSE(open.Contains(IndexRowKey(7, 2, EncodeIndexValue(std::int64_t{4}, 64), "a")));
  EXPECT_FALSE(open.Contains(IndexRowKey(7, 3, EncodeIndexValue(std::int64_t{5}, 64), "a")));
  EXPECT_TRUE(IndexRowsOf(7, 2, SameKind(Null{})).Contains(IndexRowKey(7, 2, EncodeIndexValue(Null{}, 64), "a")));
}

// storage::kReservedKeyBytes is what the backend's keys have above the ids that clients choose.
TEST(Rows, TheLongestRowFits) {
  const std::string id(storage::Limits{}.max_key_bytes, 'i');
  const std::string value = EncodeIndexValue(std::string(5'000, 'v'), kMaxIndexedValueBytes);
  const storage::KeySpace space(std::string(63, 's'), std::string(63, 'n'));
  EXPECT_LE(space.Wrap(IndexRowKey(~0ull, ~0u, value, id)).size(), id.size() + storage::kReservedKeyBytes);
}

}  // namespace
}  // namespace holdfast::documents
