// Backups of PostgreSQL by the real pgBackRest, by nothing but the operator: made by schedule, and a database made of
// them as it was at a time.
#include <set>

#include "tests/integration/local/postgres_backup_fixture.h"

namespace holdfast::local {
namespace {

TEST_F(LocalPostgresBackupTest, backup_IsMadeByScheduleOnceForEachTickAndTheArchiveFollows) {
  ASSERT_NO_FATAL_FAILURE(StartWithBackups(2));
  ASSERT_TRUE(Put("one"));
  ASSERT_TRUE(Eventually([&] { return !Row("demo").value("lastFull", "").empty(); }, kPatience)) << WhatIsWrong();
  ASSERT_TRUE(Eventually([&] { return !Row("demo").value("lastDifferential", "").empty(); }, kPatience))
      << WhatIsWrong();
  EXPECT_TRUE(Eventually([&] { return Is("demo", "BackupHealthy"); }, kPatience)) << WhatIsWrong();
  const std::string archived = Row("demo").value("lastArchived", "");
  EXPECT_FALSE(archived.empty());
  // The archive goes on, with what is written.
  ASSERT_TRUE(Put("two"));
  EXPECT_TRUE(Eventually([&] { return Row("demo").value("lastArchived", "") > archived; }, kPatience)) << WhatIsWrong();
  ASSERT_TRUE(Eventually([&] { return Row("demo").value("backups", 0) >= 3; }, kPatience)) << WhatIsWrong();

  const std::vector<std::string> ticks = Ticks();
  EXPECT_GE(ticks.size(), 3u);
  EXPECT_EQ(std::set<std::string>(ticks.begin(), ticks.end()).size(), ticks.size()) << testing::PrintToString(ticks);
  EXPECT_THAT(ticks, testing::Not(testing::Contains("none")));

  // The repository is gone, and the operator is kept from bringing it back: PostgreSQL goes on, and it is told.
  const std::string cluster = fmt::format("{}/demo", kClusters);
  const std::string repository = "/apis/apps/v1/namespaces/default/statefulsets/demo-db-backup";
  Patch(cluster, {{"metadata", {{"annotations", {{"storage.holdfast.dev/paused", "true"}}}}}});
  ASSERT_TRUE(Eventually([&] { return Is("demo", "Paused"); }));
  Patch(repository, {{"spec", {{"replicas", 0}}}});
  EXPECT_TRUE(Eventually([&] { return Condition("demo", "BackupHealthy").value("status", "") == "False"; }, kPatience));
  ASSERT_TRUE(Put("three"));
  EXPECT_TRUE(Eventually(
      [&] { return Row("demo").value("message", "").find("PostgreSQL keeps it") != std::string::npos; }, kPatience))
      << WhatIsWrong();
  EXPECT_GT(Row("demo").value("archiveFailures", 0), 0);
  EXPECT_TRUE(Put("four"));
  Patch(cluster, {{"metadata", {{"annotations", {{"storage.holdfast.dev/paused", nullptr}}}}}});
  EXPECT_TRUE(Eventually([&] { return Is("demo", "BackupHealthy"); }, kPatience)) << WhatIsWrong();

  End();
}

TEST_F(LocalPostgresBackupTest, pitr_BringsBackExactlyWhatWasAcknowledgedUpToTheTime) {
  ASSERT_NO_FATAL_FAILURE(StartWithBackups(1));
  ASSERT_TRUE(Eventually([&] { return !Row("demo").value("lastFull", "").empty(); }, kPatience)) << WhatIsWrong();
  std::vector<std::string> before;
  for (int i = 0; i < 20; ++i) {
    before.push_back(fmt::format("before-{:02}", i));
    ASSERT_TRUE(Put(before.back()));
  }
  const Timestamp time = SystemClock().Now();
  ASSERT_TRUE(Eventually([&] { return SystemClock().Now() > time; }));
  std::vector<std::string> all = {"after"};
  ASSERT_TRUE(Put("after"));
  all.insert(all.end(), before.begin(), before.end());
  const Timestamp written = SystemClock().Now();
  ASSERT_TRUE(Eventually([&] { return BackedUpSince(written); }, kPatience)) << WhatIsWrong();

  // The cluster goes, and its database with it: only the repository is left.
  const std::string server = Event("api")["server"];
  ASSERT_EQ(Ask(server, "DELETE", fmt::format("{}/demo", kClusters)).status / 100, 2);
  ASSERT_TRUE(
      Eventually([&] { return Kubernetes(fmt::format("{}/demo", kClusters)).value("code", 0) == 404; }, kPatience));
  const std::string claims = "/api/v1/namespaces/default/persistentvolumeclaims";
  ASSERT_EQ(Ask(server, "DELETE", claims + "/pgdata-demo-db-0").status / 100, 2);
  ASSERT_EQ(Ask(server, "DELETE", "/api/v1/namespaces/default/secrets/demo-db-credentials").status / 100, 2);

  const std::string claim = "repository-demo-db-backup-0";
  Make(Cluster("past", Postgres({{"restoreFrom", RestoreFrom(claim, FormatTimestamp(time))}, {"backup", Backup()}})));
  ASSERT_TRUE(Eventually([&] { return Is("past", "Ready"); }, kPatience)) << WhatIsWrong();
  EXPECT_TRUE(Eventually([&] { return Keys(ServiceOf("past")) == before; })) << WhatIsWrong();

  // The control: without a time the row from behind it is there.
  Make(Cluster("whole", Postgres({{"restoreFrom", RestoreFrom(claim, "")}})));
  ASSERT_TRUE(Eventually([&] { return Is("whole", "Ready"); }, kPatience)) << WhatIsWrong();
  EXPECT_TRUE(Eventually([&] { return Keys(ServiceOf("whole")) == all; })) << WhatIsWrong();

  // What is restored takes writes, and has backups of its own.
  EXPECT_EQ(Ask(ServiceOf("past"), "PUT", "/v1/stores/main/keys/new", "new").status, 201);
  EXPECT_TRUE(Eventually([&] { return Is("past", "BackupHealthy"); }, kPatience)) << WhatIsWrong();

  End();
}

}  // namespace
}  // namespace holdfast::local
