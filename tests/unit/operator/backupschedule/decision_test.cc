#include "operator/controllers/backupschedule/decision.h"

#include "base/time/duration.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdfast::backupschedule {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Timestamp At(const std::string& text) {
  const auto time = ParseTimestamp(text);
  EXPECT_TRUE(time.ok()) << text;
  return *time;
}

// A cluster `demo` with one schedule, in the hands of an operator that writes down what was decided.
class Story {
 public:
  explicit Story(const std::string& now) : now_(At(now)) {
    cluster_.ns = "prod";
    cluster_.name = "demo";
    cluster_.uid = "uid-1";
    schedule = {.name = "nightly",
                .store = "main",
                .schedule = "0 3 * * *",
                .time_zone = "UTC",
                .kind = "Full",
                .deadline = "2h",
                .successful_history = 3,
                .failed_history = 1};
  }

  // What was decided last; `plan` refers to `facts_`.
  SchedulePlan Look(const std::string& now) {
    now_ = At(now);
    facts_.emplace(Facts{
        .cluster = cluster_, .schedules = {schedule}, .quiet = quiet, .known = known, .backups = backups, .now = now_});
    const Plan plan = Decide(*facts_);
    known = plan.Statuses();
    next_tick = plan.next_tick;
    if (plan.schedules.front().make) Add(*plan.schedules.front().make);
    return plan.schedules.front();
  }

  void Add(Timestamp tick) {
    ScheduledBackup made;
    made.name = BackupNameOf(cluster_, schedule.name, tick);
    made.schedule = schedule.name;
    made.tick = tick;
    backups.push_back(std::move(made));
  }
  // What is under way.
  void Finish(bool succeeded = true) {
    for (ScheduledBackup& each : backups) {
      if (each.over) continue;
      each.over = true;
      each.succeeded = succeeded;
      if (succeeded) each.completed = each.tick + minutes{5};
      if (!succeeded) each.reason = "DrillFailed";
    }
  }

  const api::BackupScheduleStatus& status() const { return known.front(); }

  api::BackupSchedule schedule;
  std::vector<api::BackupScheduleStatus> known;
  std::vector<ScheduledBackup> backups;
  std::optional<Timestamp> next_tick;
  bool quiet = false;

 private:
  api::StorageCluster cluster_;
  Timestamp now_;
  std::optional<Facts> facts_;
};

TEST(BackupScheduleDecision, BeginsWithTheNextTickAndMakesEachOnce) {
  Story story("2026-11-23T02:00:00Z");
  EXPECT_FALSE(story.Look("2026-11-23T12:00:00Z").make) << "what was due before there was a schedule";
  EXPECT_EQ(story.next_tick, At("2026-11-24T03:00:00Z"));
  EXPECT_EQ(story.status().reason, "NoBackupYet");
  EXPECT_TRUE(story.status().healthy);
  EXPECT_FALSE(story.Look("2026-11-24T02:59:59Z").make);
  const SchedulePlan due = story.Look("2026-11-24T03:00:00.25Z");
  EXPECT_EQ(due.make, At("2026-11-24T03:00:00Z"));
  EXPECT_EQ(story.status().last_schedule, At("2026-11-24T03:00:00Z"));
  EXPECT_EQ(story.status().active, story.backups.front().name);
  EXPECT_FALSE(story.Look("2026-11-24T03:00:01Z").make);
  story.Finish();
  story.Look("2026-11-24T03:06:00Z");
  EXPECT_EQ(story.status().reason, "BackedUp");
  EXPECT_EQ(story.status().active, "");
  EXPECT_EQ(story.status().last_successful, At("2026-11-24T03:05:00Z"));
}

TEST(BackupScheduleDecision, OneOfManyMissedTicksIsMadeUpFor) {
  Story story("2026-11-23T02:00:00Z");
  story.Look("2026-11-23T02:00:00Z");
  EXPECT_EQ(story.Look("2026-12-01T10:00:00Z").make, At("2026-12-01T03:00:00Z"));
  story.Finish();
  EXPECT_FALSE(story.Look("2026-12-01T10:00:01Z").make);
  EXPECT_EQ(story.next_tick, At("2026-12-02T03:00:00Z"));
}

TEST(BackupScheduleDecision, WhatIsTooLateIsGivenUpAndSaid) {
  Story story("2026-11-23T02:00:00Z");
  story.schedule.starting_deadline = hours{1};
  story.Look("2026-11-23T02:00:00Z");
  EXPECT_EQ(story.Look("2026-11-23T04:00:00Z").make, At("2026-11-23T03:00:00Z")) << "just in time";
  story.Finish();
  const SchedulePlan late = story.Look("2026-11-24T04:00:01Z");
  EXPECT_FALSE(late.make);
  ASSERT_TRUE(late.news);
  EXPECT_EQ(late.news->reason, "BackupMissed");
  EXPECT_FALSE(story.Look("2026-11-24T04:00:02Z").news) << "once";
}

TEST(BackupScheduleDecision, ATickWhileTheFormerOneRunsIsSkippedAndSaid) {
  Story story("2026-11-23T02:00:00Z");
  story.Look("2026-11-23T02:00:00Z");
  ASSERT_TRUE(story.Look("2026-11-23T03:00:00Z").make);
  const SchedulePlan skipped = story.Look("2026-11-24T03:00:00Z");
  EXPECT_FALSE(skipped.make);
  ASSERT_TRUE(skipped.news);
  EXPECT_EQ(skipped.news->reason, "BackupSkipped");
  EXPECT_THAT(skipped.news->message, HasSubstr(story.backups.front().name));
  story.Finish();
  EXPECT_FALSE(story.Look("2026-11-24T09:00:00Z").make) << "it is not made up for";
  EXPECT_TRUE(story.Look("2026-11-25T03:00:00Z").make);
}

TEST(BackupScheduleDecision, WhoeverLostTheStatusTakesTheTicksOwnBackupForMade) {
  Story story("2026-11-23T02:00:00Z");
  story.Look("2026-11-23T02:00:00Z");
  const auto before = story.known;
  ASSERT_TRUE(story.Look("2026-11-23T03:00:00Z").make);
  story.known = before;
  EXPECT_FALSE(story.Look("2026-11-23T03:00:05Z").make);
  EXPECT_EQ(story.status().last_schedule, At("2026-11-23T03:00:00Z"));
}

TEST(BackupScheduleDecision, AClockThatIsSetBackMakesNoTickTwice) {
  Story story("2026-11-23T02:00:00Z");
  story.Look("2026-11-23T02:00:00Z");
  ASSERT_TRUE(story.Look("2026-11-23T03:00:00Z").make);
  story.Finish();
  story.backups.clear();  // deleted by somebody
  EXPECT_FALSE(story.Look("2026-11-23T02:30:00Z").make);
  EXPECT_EQ(story.next_tick, At("2026-11-24T03:00:00Z"));
  EXPECT_FALSE(story.Look("2026-11-23T03:00:00Z").make);
  EXPECT_TRUE(story.Look("2026-11-24T03:00:00Z").make);
}

TEST(BackupScheduleDecision, AClockThatWasYearsAheadDoesNotStopBackups) {
  Story story("2026-11-23T02:00:00Z");
  story.Look("2026-11-23T02:00:00Z");
  ASSERT_TRUE(story.Look("2030-01-01T03:00:00Z").make);
  story.Finish();
  const SchedulePlan back = story.Look("2026-11-23T02:30:00Z");
  ASSERT_TRUE(back.news);
  EXPECT_EQ(back.news->reason, "ClockSetBack");
  EXPECT_TRUE(story.Look("2026-11-23T03:00:00Z").make);
}

TEST(BackupScheduleDecision, OtherTicksAndResumedOnesBeginWithTheNext) {
  Story story("2026-11-23T02:00:00Z");
  story.Look("2026-11-23T02:00:00Z");
  story.schedule.schedule = "0 9 * * *";
  EXPECT_FALSE(story.Look("2026-11-23T12:00:00Z").make) << "09:00 was before the change";
  story.schedule.suspend = true;
  EXPECT_FALSE(story.Look("2026-11-24T09:00:00Z").make);
  EXPECT_FALSE(story.next_tick);
  EXPECT_EQ(story.status().reason, "Suspended");
  story.schedule.suspend = false;
  EXPECT_FALSE(story.Look("2026-11-26T12:00:00Z").make) << "it was suspended then";
  EXPECT_TRUE(story.status().healthy);
  EXPECT_TRUE(story.Look("2026-11-27T09:00:00Z").make);
}

TEST(BackupScheduleDecision, WhilePausedNothingIsBegunAndBehindItTheLastIsMadeUpFor) {
  Story story("2026-11-23T02:00:00Z");
  story.Look("2026-11-23T02:00:00Z");
  story.quiet = true;
  EXPECT_FALSE(story.Look("2026-11-25T03:00:00Z").make);
  story.quiet = false;
  EXPECT_EQ(story.Look("2026-11-25T12:00:00Z").make, At("2026-11-25T03:00:00Z"));
}

TEST(BackupScheduleDecision, AFailureIsSaidUntilOneSucceeds) {
  Story story("2026-11-23T02:00:00Z");
  story.Look("2026-11-23T02:00:00Z");
  story.Look("2026-11-23T03:00:00Z");
  story.Finish(/*succeeded=*/false);
  story.Look("2026-11-23T03:10:00Z");
  EXPECT_FALSE(story.status().healthy);
  EXPECT_EQ(story.status().reason, "DrillFailed");
  story.Look("2026-11-24T03:00:00Z");
  EXPECT_EQ(story.status().reason, "DrillFailed") << "while the next one is under way";
  story.Finish();
  story.Look("2026-11-24T03:10:00Z");
  EXPECT_TRUE(story.status().healthy);
}

TEST(BackupScheduleDecision, ANewestSuccessBeforeTheLastTwoTicksIsOverdue) {
  Story story("2026-11-23T02:00:00Z");
  story.Look("2026-11-23T02:00:00Z");
  ASSERT_TRUE(story.Look("2026-11-23T03:00:00Z").make);
  story.Finish();
  ASSERT_TRUE(story.Look("2026-11-24T03:00:00Z").make);
  EXPECT_TRUE(story.status().healthy);
  // It goes on and on; the next two ticks are skipped.
  story.Look("2026-11-25T02:59:59Z");
  EXPECT_TRUE(story.status().healthy) << story.status().message;
  story.Look("2026-11-25T03:00:00Z");
  EXPECT_EQ(story.status().reason, "BackupOverdue");
}

TEST(BackupScheduleDecision, AServiceWhoseClockIsBehindIsNotOverdue) {
  Story story("2026-11-23T02:00:00Z");
  story.Look("2026-11-23T02:00:00Z");
  ASSERT_TRUE(story.Look("2026-11-23T03:00:00Z").make);
  story.Finish();
  story.backups.front().completed = At("2026-11-23T02:59:40Z");
  ASSERT_TRUE(story.Look("2026-11-24T03:00:00Z").make);
  EXPECT_TRUE(story.status().healthy) << story.status().message;
  EXPECT_EQ(story.status().last_successful, At("2026-11-23T03:00:00Z"));
}

TEST(BackupScheduleDecision, TicksThatCannotBeAreSaid) {
  for (const auto& [expression, zone] : {std::pair("0 0 30 2 *", "UTC"), std::pair("0 3 * * *", "Mars/Olympus")}) {
    Story story("2026-11-23T02:00:00Z");
    story.schedule.schedule = expression;
    story.schedule.time_zone = zone;
    EXPECT_FALSE(story.Look("2026-11-23T02:00:00Z").make);
    EXPECT_FALSE(story.status().healthy);
    EXPECT_EQ(story.status().reason, "InvalidSchedule");
    EXPECT_FALSE(story.next_tick);
  }
}

TEST(BackupScheduleDecision, TicksAreOfTheTimeZone) {
  Story story("2026-11-23T00:00:00Z");
  story.schedule.time_zone = "Europe/Berlin";
  story.Look("2026-11-23T00:00:00Z");
  EXPECT_EQ(story.next_tick, At("2026-11-23T02:00:00Z"));
}

TEST(BackupScheduleDecision, OldOnesGoAndTheNewestThatSucceededStays) {
  Story story("2026-11-23T02:00:00Z");
  story.schedule.successful_history = 1;
  story.Look("2026-11-23T02:00:00Z");
  ASSERT_TRUE(story.Look("2026-11-23T03:00:00Z").make);
  story.Finish();
  const std::string good = story.backups.front().name;
  for (const char* day : {"24", "25", "26"}) {
    ASSERT_TRUE(story.Look("2026-11-" + std::string(day) + "T03:00:00Z").make) << day;
    story.Finish(/*succeeded=*/false);
  }
  const SchedulePlan failures = story.Look("2026-11-26T04:00:00Z");
  ASSERT_THAT(failures.remove, SizeIs(2)) << "beyond failedHistoryLimit";
  for (const ScheduledBackup& each : failures.remove) EXPECT_FALSE(each.succeeded);
  story.Add(At("2026-11-27T03:00:00Z"));
  story.Finish();
  const SchedulePlan plan = story.Look("2026-11-27T04:00:00Z");
  ASSERT_THAT(plan.remove, SizeIs(3));
  EXPECT_EQ(plan.remove.back().name, good);
  story.quiet = true;
  EXPECT_THAT(story.Look("2026-11-27T04:00:00Z").remove, IsEmpty());
}

TEST(ScheduledBackupNames, FitAndBelongToOneClusterScheduleAndTick) {
  api::StorageCluster cluster;
  cluster.name = "demo";
  cluster.uid = "uid-1";
  const Timestamp tick = At("2026-11-23T03:00:00Z");
  const std::string name = BackupNameOf(cluster, "nightly", tick);
  EXPECT_THAT(name, HasSubstr("demo-nightly-20261123t0300z-"));
  EXPECT_EQ(name, BackupNameOf(cluster, "nightly", tick));
  EXPECT_NE(name, BackupNameOf(cluster, "nightly", tick + minutes{1}));
  api::StorageCluster other = cluster;
  other.uid = "uid-2";
  EXPECT_NE(name, BackupNameOf(other, "nightly", tick));
  // "demo-a" with "b" and "demo" with "a-b".
  other = cluster;
  other.name = "demo-a";
  EXPECT_NE(BackupNameOf(cluster, "a-b", tick), BackupNameOf(other, "b", tick));
  cluster.name = std::string(40, 'c');
  EXPECT_LE(BackupNameOf(cluster, std::string(40, 's'), tick).size(), 63u);
  EXPECT_NE(BackupNameOf(cluster, "a", tick), BackupNameOf(cluster, "b", tick)) << "cut, and still two";
}

}  // namespace
}  // namespace holdfast::backupschedule
