#include "operator/backup/decision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/time/duration.h"

namespace holdfast::backup {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

Timestamp At(const char* text) {
  return ParseTimestamp(text).value();
}

// Sundays at 01:30 in full, the other days differentially.
api::PostgresBackup Spec() {
  api::PostgresBackup spec;
  spec.full_schedule = "30 1 * * 0";
  spec.differential_schedule = "30 1 * * 1-6";
  return spec;
}

Backup Made(const char* type, const char* start, const char* tick = nullptr) {
  return {.type = type,
          .tick = tick == nullptr ? std::nullopt : std::optional(At(tick)),
          .start = At(start),
          .stop = At(start) + minutes(5)};
}

class BackupDecisionTest : public testing::Test {
 protected:
  BackupDecisionTest() {
    facts_.now = At("2026-11-25T12:00:00Z");  // a Wednesday
    facts_.primary = true;
    facts_.report = Report{.stanza = true};
  }
  Step Decided() const { return Decide(facts_, plan_, limits_); }
  Health Judged() const { return Judge(facts_, plan_, hours(4), limits_); }
  Report& report() { return *facts_.report; }
  void Fail(std::int64_t failures, Timestamp ended) {
    report().backup = Attempt{
        .type = "full", .started = ended, .ended = ended, .ok = false, .message = "no space", .failures = failures};
  }

  Plan plan_ = ParsePlan(Spec()).value();
  Limits limits_;
  Facts facts_;
};

TEST_F(BackupDecisionTest, TheFirstFullBackupWaitsForNoTick) {
  EXPECT_EQ(Decided().kind, Step::Kind::kFull);
  EXPECT_EQ(Decided().tick, At("2026-11-22T01:30:00Z"));
  EXPECT_EQ(Judged().reason, "NoBackupYet");
}

TEST_F(BackupDecisionTest, ATickHasItsBackupOnce) {
  report().backups = {Made("full", "2026-11-22T01:30:10Z", "2026-11-22T01:30:00Z")};
  EXPECT_EQ(Decided().kind, Step::Kind::kDifferential);
  EXPECT_EQ(Decided().tick, At("2026-11-25T01:30:00Z"));
  report().backups.push_back(Made("diff", "2026-11-25T01:30:05Z", "2026-11-25T01:30:00Z"));
  EXPECT_EQ(Decided().kind, Step::Kind::kNone);
  EXPECT_TRUE(Judged().healthy);
}

TEST_F(BackupDecisionTest, AClockThatIsBehindMakesNoSecondBackup) {
  report().backups = {Made("full", "2026-11-22T01:29:40Z", "2026-11-22T01:30:00Z"),
                      Made("diff", "2026-11-25T01:29:40Z", "2026-11-25T01:30:00Z")};
  EXPECT_EQ(Decided().kind, Step::Kind::kNone);
}

TEST_F(BackupDecisionTest, WhatWasMissedIsMadeUpForOnce) {
  report().backups = {Made("full", "2026-11-01T01:30:10Z")};
  EXPECT_EQ(Decided().kind, Step::Kind::kFull);
  report().backups.push_back(Made("full", "2026-11-25T11:00:00Z", "2026-11-22T01:30:00Z"));
  // It is younger than the differential tick as well.
  EXPECT_EQ(Decided().kind, Step::Kind::kNone);
}

TEST_F(BackupDecisionTest, WhatSomebodyMadeByHandCounts) {
  report().backups = {Made("full", "2026-11-25T02:00:00Z")};
  EXPECT_EQ(Decided().kind, Step::Kind::kNone);
}

TEST_F(BackupDecisionTest, ADifferentialOneIsNoFullOne) {
  report().backups = {Made("full", "2026-11-15T01:30:10Z"), Made("diff", "2026-11-25T02:00:00Z")};
  EXPECT_EQ(Decided().kind, Step::Kind::kFull);
}

TEST_F(BackupDecisionTest, NothingIsBegunWhereNothingCanBe) {
  facts_.primary = false;
  EXPECT_EQ(Decided().kind, Step::Kind::kNone);
  facts_.primary = true;
  report().running = true;
  EXPECT_EQ(Decided().kind, Step::Kind::kNone);
  report().running = false;
  report().error = "cannot read";
  EXPECT_EQ(Decided().kind, Step::Kind::kNone);
  EXPECT_EQ(Judged().reason, "RepositoryUnreadable");
  facts_.report.reset();
  facts_.unreachable = "refused";
  EXPECT_EQ(Decided().kind, Step::Kind::kNone);
  EXPECT_EQ(Judged().reason, "RepositoryUnreachable");
}

TEST_F(BackupDecisionTest, TheStanzaComesFirst) {
  report().stanza = false;
  EXPECT_EQ(Decided().kind, Step::Kind::kCreateStanza);
  report().stanza_create =
      Attempt{.started = facts_.now, .ended = facts_.now, .message = "other system-id", .failures = 1};
  EXPECT_EQ(Decided().kind, Step::Kind::kNone);
  EXPECT_EQ(Judged().reason, "RepositoryNotReady");
  EXPECT_THAT(Judged().message, HasSubstr("other system-id"));
  facts_.now += limits_.first_retry;
  EXPECT_EQ(Decided().kind, Step::Kind::kCreateStanza);
}

TEST_F(BackupDecisionTest, AFailureIsToldAndTriedAgainEverMoreSeldom) {
  for (const auto& [failures, wait] :
       {std::pair{1, seconds(30)}, {2, seconds(60)}, {5, seconds(480)}, {50, seconds(900)}}) {
    Fail(failures, facts_.now - wait + seconds(1));
    EXPECT_EQ(Decided().kind, Step::Kind::kNone) << failures;
    Fail(failures, facts_.now - wait);
    EXPECT_EQ(Decided().kind, Step::Kind::kFull) << failures;
  }
  EXPECT_EQ(Judged().reason, "BackupFailed");
  EXPECT_THAT(Judged().message, HasSubstr("no space"));
}

TEST_F(BackupDecisionTest, AnArchiveThatIsStuckIsTold) {
  report().backups = {Made("full", "2026-11-25T02:00:00Z")};
  facts_.archiver = Archiver{.failing = true, .failures = 3, .segment = "000000010000000000000007"};
  EXPECT_EQ(Judged().reason, "ArchiveStuck");
  EXPECT_THAT(Judged().message, HasSubstr("000000010000000000000007"));
  facts_.archiver->failing = false;
  EXPECT_TRUE(Judged().healthy);
  facts_.archiver->failing = true;
  facts_.report.reset();
  EXPECT_EQ(Judged().reason, "RepositoryUnreachable");
  EXPECT_THAT(Judged().message, HasSubstr("PostgreSQL keeps it"));
}

TEST_F(BackupDecisionTest, OneThatIsNotThereIsToldOnceItIsLate) {
  report().backups = {Made("full", "2026-11-22T02:00:00Z")};
  facts_.now = At("2026-11-23T06:30:00Z");
  EXPECT_TRUE(Judged().healthy) << "within its timeout and an hour";
  facts_.now = At("2026-11-23T06:30:01Z");
  facts_.primary = false;
  EXPECT_EQ(Judged().reason, "BackupOverdue");
  EXPECT_THAT(Judged().message, HasSubstr("no primary"));
}

TEST_F(BackupDecisionTest, SchedulesAreOfTheirTimeZone) {
  api::PostgresBackup spec = Spec();
  spec.time_zone = "Europe/Berlin";
  plan_ = ParsePlan(spec).value();
  report().backups = {Made("full", "2026-11-22T00:30:00Z")};
  EXPECT_EQ(Decided().tick, At("2026-11-25T00:30:00Z"));
}

TEST(BackupPlanTest, AFieldThatIsNoneIsNamed) {
  api::PostgresBackup spec = Spec();
  spec.differential_schedule = "30 1 31 2 *";
  EXPECT_THAT(ParsePlan(spec).error().message(), HasSubstr("schedule.differential"));
  spec = Spec();
  spec.time_zone = "Europe/Atlantis";
  EXPECT_THAT(ParsePlan(spec).error().message(), HasSubstr("schedule.timeZone"));
}

TEST_F(BackupDecisionTest, AFullRepositoryIsNamedWithItsRemedy) {
  report().backups = {Made("full", "2026-11-22T01:30:10Z"), Made("diff", "2026-11-25T02:00:00Z")};
  report().room = Room{.size = std::int64_t{1} << 30, .free = std::int64_t{3} << 20};
  EXPECT_TRUE(Judged().healthy) << "as long as nothing has failed for it";
  facts_.archiver = Archiver{.failing = true, .failures = 4, .segment = "000000010000000000000007"};
  EXPECT_EQ(Judged().reason, "RepositoryFull");
  EXPECT_THAT(Judged().message, HasSubstr("3 MiB of 1024 are free"));
  EXPECT_THAT(Judged().message, HasSubstr("backup.storage.size"));
  EXPECT_THAT(Judged().message, HasSubstr("000000010000000000000007"));
  report().room->free = std::int64_t{500} << 20;
  EXPECT_EQ(Judged().reason, "ArchiveStuck") << "for another reason";
}

TEST_F(BackupDecisionTest, ABackupThatLackedRoomSaysSoThoughItsRoomIsFreeAgain) {
  report().backups = {Made("full", "2026-11-22T01:30:10Z")};
  report().room = Room{.size = std::int64_t{1} << 30, .free = std::int64_t{500} << 20};
  Fail(1, facts_.now);
  EXPECT_EQ(Judged().reason, "BackupFailed");
  report().backup->message = "unable to write '/var/lib/x': [28] No space left on device";
  EXPECT_EQ(Judged().reason, "RepositoryFull");
  report().room.reset();
  EXPECT_EQ(Judged().reason, "BackupFailed") << "an object store has no volume to grow";
}

}  // namespace
}  // namespace holdfast::backup
