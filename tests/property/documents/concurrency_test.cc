// Writers of the same documents and changes of the definition at the same time; afterwards every index row is compared
// with every document. The checker has its positive controls below.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "service/documents/document.h"
#include "service/documents/documents.h"
#include "service/documents/find.h"
#include "service/documents/maintainer.h"
#include "service/documents/rows.h"
#include "tests/property/documents/index_checker.h"
#include "tests/property/documents/tenant_rooms.h"

namespace holdfast::documents {
namespace {

using storage::Operation;
using storage::conformance::BackendUnderTest;

const char* const kCollection = "incidents";

class DocumentsTogether : public testing::TestWithParam<BackendUnderTest> {
 protected:
  DocumentsTogether() : rooms_(GetParam()) {}

  void Define(const std::vector<std::string>& paths) {
    const auto put = Collections(rooms_.rooms(), {}).Define(kCollection, paths, Deadline::Infinite());
    ASSERT_TRUE(put.ok()) << put.error().ToString();
  }
  void Put(const std::string& id, const std::string& text) {
    const auto put = Documents(rooms_.rooms(), kCollection, {}, 64).Put(id, text, {}, {}, Deadline::Infinite());
    ASSERT_TRUE(put.ok()) << put.error().ToString();
  }
  std::vector<std::string> Wrong() { return CheckIndexes(*rooms_.rooms(), kCollection); }

  TenantRooms rooms_;
};

TEST_P(DocumentsTogether, WritersAndIndexBuildsLeaveEveryRowRight) {
  constexpr int kWriters = 3;
  constexpr int kWrites = 500;
  constexpr int kIds = 40;
  Define({"severity"});
  Maintainer maintainer(rooms_.backend(), "main", rooms_.tenants());
  maintainer.Start();
  std::atomic<int> writing{kWriters};
  std::atomic<int> conflicts{0};
  std::vector<std::thread> threads;
  for (int writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      std::minstd_rand random(static_cast<unsigned>(writer) + 1);
      Documents documents(rooms_.rooms(), kCollection, {}, 64);
      for (int i = 0; i < kWrites; ++i) {
        const std::string id = std::to_string(random() % kIds);
        const std::string text =
            "{\"severity\":" + std::to_string(random() % 5) + ",\"state\":\"" + std::to_string(random() % 3) + "\"}";
        const auto result = random() % 5 == 0 ? documents.Delete(id, {}, Deadline::Infinite())
                                              : documents.Put(id, text, {}, {}, Deadline::Infinite());
        if (!result.ok()) {
          EXPECT_EQ(result.error().code(), ErrorCode::kVersionConflict) << result.error().ToString();
          ++conflicts;
        }
      }
      --writing;
    });
  }
  for (bool both = true; writing > 0; both = !both) {
    Define(both ? std::vector<std::string>{"severity", "state"} : std::vector<std::string>{"severity"});
    maintainer.Add(storage::kDefaultNamespace, kCollection);
    std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  maintainer.Stop();

  EXPECT_LT(conflicts, kWriters * kWrites / 2);
  EXPECT_EQ(Wrong(), std::vector<std::string>());
  Define({"severity", "state"});
  FinishMaintenance(*rooms_.rooms(), kCollection);
  EXPECT_EQ(Wrong(), std::vector<std::string>());
}

TEST_P(DocumentsTogether, TheCheckerFindsAMissingAnOrphanedAndALastingRow) {
  Define({"severity"});
  Put("a", R"({"severity":"P0"})");
  ASSERT_EQ(Wrong(), std::vector<std::string>());
  const auto collection = Collections(rooms_.rooms(), {}).Get(kCollection, Deadline::Infinite());
  const Index& index = collection->definition.indexes.front();
  const auto row = [&](const std::string& value, const std::string& id) {
    return IndexRowKey(collection->definition.number, index.number, EncodeIndexValue(value, 256), id);
  };
  const auto execute = [&](const Operation& operation) {
    ASSERT_TRUE(ExecuteOne(*rooms_.rooms(), operation, Deadline::Infinite()).status.ok());
  };
  execute(Operation::Delete(row("P0", "a")));
  EXPECT_EQ(Wrong(), std::vector<std::string>{"1 rows are missing"});
  execute(Operation::Put(row("P0", "a"), ""));
  ASSERT_EQ(Wrong(), std::vector<std::string>());
  execute(Operation::Put(row("P1", "a"), ""));
  EXPECT_EQ(Wrong(), std::vector<std::string>{"orphaned row in severity"});
  execute(Operation::Delete(row("P1", "a")));
  execute(Operation::Touch(row("P0", "a"), storage::Expiry::After(std::chrono::seconds{60})));
  EXPECT_EQ(Wrong(), std::vector<std::string>{"another expiry in severity"});
}

// What would happen if a writer did not ask for the definition it knew: the checker sees it.
TEST_P(DocumentsTogether, AWriteThatMissesTheDefinitionIsFound) {
  Define({});
  Put("a", R"({"severity":"P0"})");
  const auto old = Collections(rooms_.rooms(), {}).Get(kCollection, Deadline::Infinite());
  Define({"severity"});
  FinishMaintenance(*rooms_.rooms(), kCollection);
  ASSERT_EQ(Wrong(), std::vector<std::string>());
  storage::Transaction late;
  late.conditions.push_back({DefinitionKey(kCollection), storage::Precondition::VersionIs(old->version)});
  late.then.push_back(Operation::Put(DocumentKey(old->definition.number, "b"), R"({"severity":"P1"})"));
  const auto refused = Apply(*rooms_.rooms(), late, Deadline::Infinite());
  ASSERT_TRUE(refused.ok());
  EXPECT_FALSE(*refused);
  late.conditions.clear();
  ASSERT_TRUE(*Apply(*rooms_.rooms(), late, Deadline::Infinite()));
  EXPECT_EQ(Wrong(), std::vector<std::string>{"1 rows are missing"});
}

TEST_P(DocumentsTogether, OfTwoWritersWithOneVersionOneWins) {
  Define({"n"});
  Put("a", R"({"n":0})");
  const auto version = Documents(rooms_.rooms(), kCollection, {}, 64).Get("a", {}, Deadline::Infinite())->version;
  std::atomic<int> won{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const auto put = Documents(rooms_.rooms(), kCollection, {}, 64)
                           .Put("a", "{\"n\":" + std::to_string(i) + "}", storage::Precondition::VersionIs(version), {},
                                Deadline::Infinite());
      ASSERT_TRUE(put.ok());
      if (put->status.ok()) {
        ++won;
      } else {
        EXPECT_EQ(put->status.error().code(), ErrorCode::kVersionConflict);
        EXPECT_GT(put->version, version);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(won, 1);
  EXPECT_EQ(Wrong(), std::vector<std::string>());
}

std::string Name(const testing::TestParamInfo<BackendUnderTest>& info) {
  return info.param.name;
}
INSTANTIATE_TEST_SUITE_P(memory, DocumentsTogether, testing::Values(storage::conformance::MemoryUnderTest()), Name);
INSTANTIATE_TEST_SUITE_P(rocksdb, DocumentsTogether, testing::Values(storage::conformance::RelaxedRocksDbUnderTest()),
                         Name);

}  // namespace
}  // namespace holdfast::documents
