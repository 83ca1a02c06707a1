// The operator is killed at every write, and at everything that it asks of the service, in the life of a StorageBackup
// and of a StorageRestore, before and after it is carried out; a new one takes over. There is one backup, it ends as
// without; and the service was told to restore at most once, which is a success only when the service said so.
#include <functional>
#include <tuple>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/operator/storagebackup/run_bench.h"

namespace holdfast::storagebackup {
namespace {

using storagecluster::Crash;
using When = storagecluster::CrashingClient::When;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Lived {
  int writes = 0;
  std::size_t told = 0;
  bool crashed = false;
};

bool LiveThrough(RunBench& bench, Lived* lived) {
  const int before = bench.cluster.client().writes();
  bool over = false;
  try {
    over = bench.UntilOver();
  } catch (const Crash&) {
    lived->crashed = true;
    bench.RestartOperator();
    over = bench.UntilOver();
  }
  lived->writes = bench.cluster.client().writes() - before;
  lived->told = bench.service.told.size();
  return over;
}

Lived LiveBackup(const std::function<void(RunBench&)>& arrange) {
  RunBench bench;
  bench.CreateBackup({{"drill", true}});
  arrange(bench);
  Lived lived;
  EXPECT_TRUE(LiveThrough(bench, &lived)) << bench.Backup();
  EXPECT_EQ(bench.BackupPhase(), "Succeeded") << bench.Backup();
  EXPECT_THAT(bench.complaints, IsEmpty());
  EXPECT_THAT(bench.service.made, SizeIs(1));
  for (const auto& [id, times] : bench.service.made) EXPECT_EQ(times, 1) << id;
  return lived;
}

// From what there is to restore.
struct Wanted {
  const char* name;
  Json spec;
};

void PrintTo(const Wanted& wanted, std::ostream* out) {
  *out << wanted.name;
}

const Wanted kWanted[] = {{"OfABackup", {{"backupId", "b1"}}},
                          {"ToATime", {{"toTime", "2026-11-23T06:00:00.25Z"}}},
                          {"OfAnotherCluster", {{"backupId", "b1"}, {"sourceStore", "theirs"}}}};

Lived LiveRestore(const Wanted& wanted, const std::function<void(RunBench&)>& arrange, std::string* phase) {
  const Json source = {{"backups", {{"source", {{"claimName", "former"}}}}}};
  RunBench bench(source);
  bench.service.items["b1"] = Item{.id = "b1", .verified = true};
  bench.service.source_items["theirs"]["b1"] = Item{.id = "b1", .verified = true};
  bench.service.restorable = {.any = true, .earliest = Timestamp{}, .latest = bench.clock.Now()};
  bench.CreateRestore(wanted.spec);
  arrange(bench);
  Lived lived;
  EXPECT_TRUE(LiveThrough(bench, &lived)) << bench.Restore();
  EXPECT_THAT(bench.complaints, IsEmpty());
  EXPECT_LE(bench.service.restores, 1);
  *phase = bench.RestorePhase();
  if (*phase == "Succeeded") {
    EXPECT_EQ(bench.service.restores, 1);
  } else {
    EXPECT_EQ(bench.ConditionOf(bench.Restore(), kFailedCondition), "True OutcomeUnknown");
  }
  return lived;
}

class StorageBackupCrash : public ::testing::TestWithParam<When> {};
class StorageRestoreCrash : public ::testing::TestWithParam<std::tuple<When, Wanted>> {};

TEST_P(StorageBackupCrash, LeavesOneBackup) {
  const Lived reference = LiveBackup([](RunBench&) {});
  ASSERT_GE(reference.writes, 5);
  ASSERT_EQ(reference.told, 2u);
  for (int n = 1; n <= reference.writes && !HasFailure(); ++n) {
    SCOPED_TRACE("killed at write " + std::to_string(n));
    EXPECT_TRUE(LiveBackup([&](RunBench& bench) { bench.cluster.client().CrashAt(n, GetParam()); }).crashed);
  }
  for (int n = 1; n <= static_cast<int>(reference.told) && !HasFailure(); ++n) {
    SCOPED_TRACE("killed at asking " + std::to_string(n));
    EXPECT_TRUE(LiveBackup([&](RunBench& bench) {
                  bench.service.crash_at = n;
                  bench.service.crash_after = GetParam() == When::kAfter;
                }).crashed);
  }
}

TEST_P(StorageRestoreCrash, RestoresAtMostOnce) {
  const auto& [when, wanted] = GetParam();
  std::string phase;
  const Lived reference = LiveRestore(
      wanted, [](RunBench&) {}, &phase);
  ASSERT_EQ(phase, "Succeeded");
  ASSERT_GE(reference.writes, 3);
  int succeeded = 0;
  for (int n = 1; n <= reference.writes && !HasFailure(); ++n) {
    SCOPED_TRACE("killed at write " + std::to_string(n));
    const auto kill = [n, w = when](RunBench& bench) { bench.cluster.client().CrashAt(n, w); };
    EXPECT_TRUE(LiveRestore(wanted, kill, &phase).crashed);
    if (phase == "Succeeded") ++succeeded;
  }
  EXPECT_GE(succeeded, 1) << "only a kill between the note and the service's answer leaves nobody to know";
  const auto kill_at_telling = [after = when == When::kAfter](RunBench& bench) {
    bench.service.crash_at = 1;
    bench.service.crash_after = after;
  };
  EXPECT_TRUE(LiveRestore(wanted, kill_at_telling, &phase).crashed);
  EXPECT_EQ(phase, "Failed");
}

INSTANTIATE_TEST_SUITE_P(Everywhere, StorageBackupCrash, ::testing::Values(When::kBefore, When::kAfter));
INSTANTIATE_TEST_SUITE_P(Everywhere, StorageRestoreCrash,
                         ::testing::Combine(::testing::Values(When::kBefore, When::kAfter),
                                            ::testing::ValuesIn(kWanted)));

}  // namespace
}  // namespace holdfast::storagebackup
