// The operator is killed at every write of two ticks of a schedule, before and after it is carried out; or a second one
// goes to work between the first one's decision and its write. Every tick has one StorageBackup, whatever happens.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/faults/forwarding_client.h"
#include "tests/unit/operator/backupschedule/schedule_bench.h"

namespace holdfast::backupschedule {
namespace {

using storagecluster::Crash;
using When = storagecluster::CrashingClient::When;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Two ticks, of which the second one's StorageBackup pushes the first one's out.
Json KeepsOne() {
  return Json::array({Hourly({{"successfulHistoryLimit", 1}})});
}

// Whatever it makes gets another name each time, as without names that follow from the tick.
class NewNames : public faults::ForwardingClient {
 public:
  using ForwardingClient::ForwardingClient;
  Result<Json> Create(const kube::ResourceKind& kind, const Json& object, Deadline deadline) override {
    Json renamed = object;
    renamed["metadata"]["name"] = object.at("metadata").at("name").get<std::string>() + "-" + std::to_string(++made_);
    return next().Create(kind, renamed, deadline);
  }

 private:
  int made_ = 0;
};

std::shared_ptr<kube::Client> Unowned(kube::Client& client) {
  return {std::shared_ptr<kube::Client>(), &client};
}

// The StorageBackups are carried out by whoever is there while the schedules' operator is not.
bool LiveTick(ScheduleBench& bench, bool* crashed) {
  try {
    return bench.Settle();
  } catch (const Crash&) {
    *crashed = true;
    bench.run.RestartOperator();
    return bench.run.UntilOver() && bench.Settle();
  }
}

struct Lived {
  int writes = 0;
  bool crashed = false;
  std::size_t most_of_a_tick = 0;
};

Lived LiveTwoTicks(ScheduleBench& bench, const std::function<void()>& arrange) {
  Lived lived;
  EXPECT_TRUE(bench.Settle());
  const int before = bench.run.cluster.client().writes();
  arrange();
  for (int tick = 0; tick < 2; ++tick) {
    bench.ToNextHour();
    EXPECT_TRUE(LiveTick(bench, &lived.crashed));
  }
  lived.writes = bench.run.cluster.client().writes() - before;
  for (const auto& [tick, uids] : bench.ever()) lived.most_of_a_tick = std::max(lived.most_of_a_tick, uids.size());
  EXPECT_THAT(bench.ever(), SizeIs(2)) << "a tick without one";
  EXPECT_THAT(bench.run.complaints, IsEmpty());
  return lived;
}

class BackupScheduleCrash : public ::testing::TestWithParam<When> {};

TEST_P(BackupScheduleCrash, EveryTickHasOneBackup) {
  ScheduleBench reference(KeepsOne());
  const Lived whole = LiveTwoTicks(reference, [] {});
  ASSERT_GE(whole.writes, 9);
  for (int n = 1; n <= whole.writes && !HasFailure(); ++n) {
    SCOPED_TRACE("killed at write " + std::to_string(n));
    ScheduleBench bench(KeepsOne());
    const Lived lived = LiveTwoTicks(bench, [&] { bench.run.cluster.client().CrashAt(n, GetParam()); });
    EXPECT_TRUE(lived.crashed);
    EXPECT_EQ(lived.most_of_a_tick, 1u);
    EXPECT_THAT(bench.Backups(), SizeIs(1)) << "the limit holds behind a crash as well";
    EXPECT_EQ(bench.StatusOf().at("healthy"), true);
  }
}

// The control: the sweep sees two of a tick where names do not follow from it.
TEST_P(BackupScheduleCrash, ASecondBackupOfATickIsSeen) {
  std::size_t most = 0;
  for (int n = 1; n <= 4; ++n) {
    ScheduleBench bench(KeepsOne());
    NewNames renaming(Unowned(bench.run.cluster.client()));
    bench.WriteThrough(renaming);
    most =
        std::max(most, LiveTwoTicks(bench, [&] { bench.run.cluster.client().CrashAt(n, GetParam()); }).most_of_a_tick);
  }
  EXPECT_GE(most, 2u);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, BackupScheduleCrash, ::testing::Values(When::kBefore, When::kAfter));

TEST(BackupScheduleLeaders, TwoMakeOneBackupOfATick) {
  int interrupted = 0;
  for (int n = 1; n <= 4; ++n) {
    SCOPED_TRACE("the second one comes before write " + std::to_string(n));
    ScheduleBench bench(KeepsOne());
    ASSERT_TRUE(bench.Settle());
    int writes = 0;
    bench.run.cluster.client().on_write = [&](const std::string&, const std::string&) {
      if (++writes != n) return;
      ++interrupted;
      bench.LookAsAnother();
    };
    for (int tick = 0; tick < 2; ++tick) {
      bench.ToNextHour();
      ASSERT_TRUE(bench.Settle());
    }
    EXPECT_THAT(bench.ever(), SizeIs(2));
    for (const auto& [tick, uids] : bench.ever()) EXPECT_THAT(uids, SizeIs(1)) << tick.second;
    EXPECT_THAT(bench.run.complaints, IsEmpty());
  }
  EXPECT_EQ(interrupted, 4);
}

}  // namespace
}  // namespace holdfast::backupschedule
