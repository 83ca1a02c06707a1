#include "operator/backup/view.h"

#include <gtest/gtest.h>

namespace holdfast::backup {
namespace {

using std::chrono::seconds;

Facts WithBackups() {
  Facts facts;
  facts.report = Report{.stanza = true, .newest_segment = "0A"};
  for (const auto& [type, stop] : {std::pair{"full", 100}, {"full", 300}, {"diff", 200}, {"diff", 400}}) {
    facts.report->backups.push_back(
        {.type = type, .tick = {}, .start = Timestamp{seconds{stop - 10}}, .stop = Timestamp{seconds{stop}}});
  }
  return facts;
}

TEST(BackupViewTest, TellsOfTheNewestAndFromWhenOneMayRestore) {
  const View view = Describe("db", {true, "BackedUp", "fine"}, WithBackups(), std::nullopt);
  EXPECT_EQ(view.last_full, "1970-01-01T00:05:00Z");
  EXPECT_EQ(view.last_differential, "1970-01-01T00:06:40Z");
  EXPECT_EQ(view.restorable_from, "1970-01-01T00:01:40Z");
  EXPECT_EQ(view.backups, 4);
  EXPECT_EQ(view.running, "");
}

TEST(BackupViewTest, WhatIsNotKnownNowStaysAsItWas) {
  const View before = Describe("db", {true, "BackedUp", "fine"}, WithBackups(), std::nullopt);
  const View view = Describe("db", {false, "RepositoryUnreachable", "gone"}, {}, before);
  EXPECT_EQ(view.last_full, before.last_full);
  EXPECT_FALSE(view.healthy);
}

TEST(BackupViewTest, ASegmentMoreIsNoNews) {
  const View before = Describe("db", {true, "BackedUp", "fine"}, WithBackups(), std::nullopt);
  View view = before;
  view.last_archived = "0B";
  EXPECT_TRUE(before.SameStory(view));
  view.failures = 1;
  EXPECT_FALSE(before.SameStory(view));
}

TEST(BackupViewTest, IsReadFromTheStatus) {
  const nlohmann::json cluster = {
      {"status",
       {{"backups",
         nlohmann::json::array({{{"backend", "other"}}, {{"backend", "db"}, {"healthy", true}, {"backups", 3}}})}}}};
  const auto view = ViewOf(cluster, "db");
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->healthy);
  EXPECT_EQ(view->backups, 3);
  EXPECT_FALSE(ViewOf(cluster, "none"));
}

}  // namespace
}  // namespace holdfast::backup
