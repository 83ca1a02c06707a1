// The operator is killed at every write, and at everything that it tells the service, in the life of a migration,
// before and after it is carried out; a new one takes over. It ends as without, it was started once, and no
// configuration ever named a backend that had not the entries.
#include <functional>
#include <tuple>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/controllers/storagemigration/finalizer.h"
#include "tests/unit/operator/storagemigration/migration_bench.h"

namespace holdfast::storagemigration {
namespace {

using storagecluster::Crash;
using storagecluster::CrashingClient;
using When = CrashingClient::When;
using ::testing::IsEmpty;

// What is wished for on the way.
struct Story {
  const char* name;
  Json spec;
  // Called once, when the migration waits for approval; nothing = it does not.
  std::function<void(MigrationBench&)> then = {};
  std::string condition;
  std::string ends_with;
  std::string rendered;
};

Story Moved() {
  return {.name = "moved",
          .spec = Json::object(),
          .condition = kCompleteCondition,
          .ends_with = "True CutOver",
          .rendered = "new"};
}
Story Aborted() {
  return {.name = "aborted",
          .spec = {{"cutOver", "Manual"}},
          .then =
              [](MigrationBench& bench) {
                bench.PatchMigration({{"abort", true}});
              },
          .condition = kFailedCondition,
          .ends_with = "True AbortRequested",
          .rendered = "old"};
}
Story Deleted() {
  return {.name = "deleted",
          .spec = {{"cutOver", "Manual"}},
          .then = [](MigrationBench& bench) { bench.DeleteMigration(); },
          .condition = kFailedCondition,
          .ends_with = "",
          .rendered = "old"};
}

struct Lived {
  int writes = 0;
  std::size_t told = 0;
  bool crashed = false;
};

Lived Live(const Story& story, const std::function<void(MigrationBench&)>& arrange) {
  MigrationBench bench;
  bench.CreateMigration(story.spec);
  const int before = bench.cluster.client().writes();
  arrange(bench);
  Lived lived;
  bool wished = !story.then;
  const auto go_on = [&] {
    if (!wished && bench.UntilReason("WaitingForApproval")) {
      wished = true;
      story.then(bench);
    }
    return bench.UntilOver() && bench.cluster.Converge("demo");
  };
  bool over = false;
  try {
    over = go_on();
  } catch (const Crash&) {
    lived.crashed = true;
    bench.RestartOperator();
    over = go_on();
  }
  EXPECT_TRUE(over) << "it does not come to an end: " << bench.Migration();
  EXPECT_THAT(bench.complaints, IsEmpty());
  EXPECT_EQ(bench.service.starts, 1);
  EXPECT_EQ(bench.Rendered(), story.rendered);
  EXPECT_EQ(bench.ConditionOf(story.condition), story.ends_with);
  lived.writes = bench.cluster.client().writes() - before;
  lived.told = bench.service.told.size();
  return lived;
}

class StorageMigrationCrash : public ::testing::TestWithParam<std::tuple<int, When>> {
 protected:
  static Story StoryOf(int which) {
    if (which == 0) return Moved();
    return which == 1 ? Aborted() : Deleted();
  }
};

TEST_P(StorageMigrationCrash, EndsAsWithout) {
  const When when = std::get<1>(GetParam());
  const Story story = StoryOf(std::get<0>(GetParam()));
  const Lived reference = Live(story, [](MigrationBench&) {});
  ASSERT_GT(reference.writes, 12) << story.name;
  ASSERT_EQ(reference.told, 3u);
  for (int n = 1; n <= reference.writes && !HasFailure(); ++n) {
    SCOPED_TRACE(std::string(story.name) + ", killed " + (when == When::kBefore ? "before" : "after") + " write " +
                 std::to_string(n));
    EXPECT_TRUE(Live(story, [&](MigrationBench& bench) { bench.cluster.client().CrashAt(n, when); }).crashed);
  }
  for (int n = 1; n <= static_cast<int>(reference.told) && !HasFailure(); ++n) {
    SCOPED_TRACE(std::string(story.name) + ", killed at telling " + std::to_string(n));
    EXPECT_TRUE(Live(story, [&](MigrationBench& bench) {
                  bench.service.crash_at = n;
                  bench.service.crash_after = when == When::kAfter;
                }).crashed);
  }
}

INSTANTIATE_TEST_SUITE_P(Everywhere, StorageMigrationCrash,
                         ::testing::Combine(::testing::Range(0, 3), ::testing::Values(When::kBefore, When::kAfter)));

}  // namespace
}  // namespace holdfast::storagemigration
