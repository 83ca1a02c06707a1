// The service ends between any two steps of what runs in the background: RocksDB is opened again after each, writes go
// on in between, and what was begun is finished from its rows alone.
#include <gtest/gtest.h>

#include "service/documents/documents.h"
#include "service/documents/find.h"
#include "service/documents/maintainer.h"
#include "service/documents/maintenance.h"
#include "service/documents/rows.h"
#include "tests/property/documents/index_checker.h"
#include "tests/property/documents/tenant_rooms.h"

namespace holdfast::documents {
namespace {

const char* const kCollection = "incidents";
constexpr int kDocuments = 600;  // more than two steps

class DocumentsCrash : public testing::Test {
 protected:
  DocumentsCrash() : rooms_(storage::conformance::RelaxedRocksDbUnderTest()) {}

  Collections MakeCollections() { return {rooms_.rooms(), {}}; }
  void Define(const std::vector<std::string>& paths) {
    ASSERT_TRUE(MakeCollections().Define(kCollection, paths, Deadline::Infinite()).ok());
  }
  void Put(int id, int severity) {
    const auto put = Documents(rooms_.rooms(), kCollection, {}, 64)
                         .Put("d" + std::to_string(id), "{\"severity\":" + std::to_string(severity) + "}", {}, {},
                              Deadline::Infinite());
    ASSERT_TRUE(put.ok()) << put.error().ToString();
  }
  void Fill() {
    for (int id = 0; id < kDocuments; ++id) Put(id, id % 4);
  }
  Collection Current() { return *MakeCollections().Get(kCollection, Deadline::Infinite()); }
  std::size_t Rows(const storage::KeyRange& range) { return AllRows(*rooms_.rooms(), range).size(); }
  // Steps with a crash behind each, until nothing is left to do.
  int Steps() {
    for (int steps = 1;; ++steps) {
      const auto more = MaintainCollection(*rooms_.rooms(), kCollection, Deadline::Infinite());
      EXPECT_TRUE(more.ok());
      const auto removals = RemoveDeleted(*rooms_.rooms(), Deadline::Infinite());
      EXPECT_TRUE(removals.ok());
      rooms_.Reopen();
      if (!*more && !*removals) return steps;
      // Before, at and behind the place the build has come to.
      if (MakeCollections().Get(kCollection, Deadline::Infinite()).ok()) {
        Put(steps, 9);
        Put(kDocuments - steps, 9);
        Put(kDocuments + steps, 9);
      }
    }
  }

  TenantRooms rooms_;
};

TEST_F(DocumentsCrash, rocksdb_ABuildGoesOnWhereItWas) {
  Define({});
  Fill();
  Define({"severity"});
  EXPECT_EQ(Current().definition.indexes.front().state, IndexState::kBuilding);
  ASSERT_TRUE(*MaintainCollection(*rooms_.rooms(), kCollection, Deadline::Infinite()));
  rooms_.Reopen();
  const auto progress = MakeCollections().Progress(Current(), Deadline::Infinite());
  ASSERT_TRUE(progress.ok());
  EXPECT_EQ(progress->front().second, kStepRows);
  EXPECT_GE(Steps(), 3);
  EXPECT_EQ(Current().definition.indexes.front().state, IndexState::kReady);
  EXPECT_EQ(CheckIndexes(*rooms_.rooms(), kCollection), std::vector<std::string>());
  EXPECT_EQ(Rows(ProgressOf(Current().definition.number)), 0u);
}

TEST_F(DocumentsCrash, rocksdb_ADropIsFinishedAndThePathCanComeBackAtOnce) {
  Define({"severity"});
  Fill();
  const Index dropped = Current().definition.indexes.front();
  Define({});
  ASSERT_TRUE(*MaintainCollection(*rooms_.rooms(), kCollection, Deadline::Infinite()));
  rooms_.Reopen();
  Define({"severity"});
  EXPECT_GE(Steps(), 4);
  EXPECT_EQ(Rows(IndexRowsOf(Current().definition.number, dropped.number)), 0u);
  ASSERT_EQ(Current().definition.indexes.size(), 1u);
  EXPECT_NE(Current().definition.indexes.front().number, dropped.number);
  EXPECT_EQ(CheckIndexes(*rooms_.rooms(), kCollection), std::vector<std::string>());
}

TEST_F(DocumentsCrash, rocksdb_ADeletedCollectionLeavesNothingBehindAndItsSuccessorAlone) {
  Define({"severity", "state"});
  Fill();
  const std::uint64_t number = Current().definition.number;
  ASSERT_TRUE(*MakeCollections().Delete(kCollection, Deadline::Infinite()));
  EXPECT_FALSE(MakeCollections().Get(kCollection, Deadline::Infinite()).ok());
  rooms_.Reopen();
  Define({"severity"});
  EXPECT_EQ(*MakeCollections().CountDocuments(Current(), Deadline::Infinite()), 0u);
  Put(1, 1);
  EXPECT_GE(Steps(), 6);
  EXPECT_EQ(Rows(DocumentsOf(number)), 0u);
  EXPECT_EQ(Rows(IndexRowsOf(number)), 0u);
  EXPECT_EQ(Rows(AllRemovals()), 0u);
  EXPECT_GE(*MakeCollections().CountDocuments(Current(), Deadline::Infinite()), 1u);
  EXPECT_EQ(CheckIndexes(*rooms_.rooms(), kCollection), std::vector<std::string>());
}

TEST_F(DocumentsCrash, rocksdb_AStartFindsWhatIsUnfinishedInEveryNamespace) {
  for (const char* name_space : {"a", "a-b", "b"}) {
    const auto rooms = rooms_.tenants()->Find(name_space)->rooms;
    ASSERT_TRUE(Collections(rooms, {}).Define(kCollection, {}, Deadline::Infinite()).ok());
    ASSERT_TRUE(Documents(rooms, kCollection, {}, 64).Put("d", R"({"severity":1})", {}, {}, Deadline::Infinite()).ok());
    ASSERT_TRUE(Collections(rooms, {}).Define(kCollection, {"severity"}, Deadline::Infinite()).ok());
  }
  rooms_.Reopen();
  Maintainer maintainer(rooms_.backend(), "main", rooms_.tenants());
  maintainer.Start();
  const Deadline deadline = Deadline::After(std::chrono::seconds{60});
  for (const char* name_space : {"a", "a-b", "b"}) {
    const Collections collections(rooms_.tenants()->Find(name_space)->rooms, {});
    while (collections.Get(kCollection, Deadline::Infinite())->definition.Unfinished() && !deadline.Expired()) {
      std::this_thread::yield();
    }
    EXPECT_FALSE(collections.Get(kCollection, Deadline::Infinite())->definition.Unfinished()) << name_space;
  }
}

}  // namespace
}  // namespace holdfast::documents
