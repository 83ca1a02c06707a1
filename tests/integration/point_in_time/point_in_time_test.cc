// A store brought back to a time with the real program: what had been acknowledged by then is there, and nothing that
// was asked for later, also where the process was killed between writing and shipping.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/time/duration.h"
#include "tests/integration/point_in_time/point_in_time_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST_P(PointInTimeTest, WhatStoodAtTheTimeIsThereAndNothingElse) {
  Service service = Open();
  service.Send("PUT", kKeys + "kept", {}, "first");
  Backup(service, "one");
  service.Send("PUT", kKeys + "changed", {{"Holdfast-Metadata", R"({"n":1})"}}, "before");
  service.Send("PUT", kKeys + "deleted", {}, "before");
  const std::string moment = FormatTimestamp(Moment());
  service.Send("PUT", kKeys + "changed", {}, "after");
  service.Send("PUT", kKeys + "new", {}, "after");
  service.Send("DELETE", kKeys + "deleted");
  const std::string later = FormatTimestamp(Moment());
  service.Send("DELETE", kKeys + "kept");

  const Finished done = Holdfast(service, {"restore", "--to-time", moment});
  ASSERT_EQ(done.exit_code, 0) << done.errors;
  const json run = json::parse(done.output);
  EXPECT_EQ(run.at("to_time"), moment);
  EXPECT_EQ(run.at("backup"), "one");
  EXPECT_EQ(BodyOf(service, "kept"), "first");
  const auto changed = service.Send("GET", kKeys + "changed");
  EXPECT_EQ(changed.body, "before");
  EXPECT_EQ(changed.headers.at("Holdfast-Metadata"), R"({"n":1})");
  EXPECT_EQ(BodyOf(service, "deleted"), "before");
  EXPECT_EQ(BodyOf(service, "new"), "404");
  // Forward again: that the restore undid is history too.
  ASSERT_EQ(Holdfast(service, {"backup", "restore", "--to-time", later}).exit_code, 0);
  EXPECT_EQ(BodyOf(service, "changed"), "after");
  EXPECT_EQ(BodyOf(service, "deleted"), "404");
  const json list = service.Json("GET", kBackups);
  EXPECT_LE(list.at("restorable").at("earliest").get<std::string>(), moment);
  EXPECT_GE(list.at("restorable").at("latest").get<std::string>(), later);
  // The control: without a time it is what the backup holds.
  ASSERT_EQ(Holdfast(service, {"backup", "restore", "one"}).exit_code, 0);
  EXPECT_EQ(BodyOf(service, "changed"), "404");
}

TEST_P(PointInTimeTest, WhatCannotBeIsRefusedWithTheReason) {
  Service service = Open();
  const std::string early = FormatTimestamp(Moment());
  EXPECT_THAT(Holdfast(service, {"restore", "--to-time", early}).errors, HasSubstr("change_archive"));
  Backup(service, "one");
  EXPECT_THAT(Holdfast(service, {"restore", "--to-time", early}).errors, HasSubstr("name a later time"));
  EXPECT_THAT(Holdfast(service, {"restore", "--to-time", "2999-01-01T00:00:00Z"}).errors, HasSubstr("future"));
  EXPECT_EQ(Holdfast(service, {"restore", "--to-time", "yesterday"}).exit_code, 2);
  EXPECT_EQ(Holdfast(service, {"restore"}).exit_code, 2);
  EXPECT_EQ(Holdfast(service, {"backup", "list", "--to-time", early}).exit_code, 2);
  EXPECT_EQ(service.Send("POST", kBackups + "?action=restore").status, 400);
  EXPECT_EQ(service.Send("POST", kBackups + "?to_time=" + early).status, 400);
  EXPECT_EQ(service.Send("POST", kBackups + "/one?action=verify&to_time=" + early).status, 400);
}

TEST_P(PointInTimeTest, DamageInTheLogIsRefusedBeforeAnythingChanges_fault) {
  Service service = Open("1s");
  Backup(service, "one");
  service.Send("PUT", kKeys + "k", {}, "before");
  const std::string moment = FormatTimestamp(Moment());
  service.Send("PUT", kKeys + "k", {}, "after");
  // Behind what the log begins with.
  ASSERT_TRUE(Eventually([&] { return Segments().size() > 1; }));
  const std::size_t checkpoints = service.Json("GET", "/v1/stores/main/checkpoints").at("items").size();
  Flip(2);
  const Finished refused = Holdfast(service, {"restore", "--to-time", moment});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.errors, HasSubstr("corruption"));
  EXPECT_EQ(BodyOf(service, "k"), "after");
  EXPECT_EQ(service.Json("GET", "/v1/stores/main/checkpoints").at("items").size(), checkpoints) << "no undo was taken";
  Flip(2);
  const Finished done = Holdfast(service, {"restore", "--to-time", moment});
  EXPECT_EQ(done.exit_code, 0) << done.errors;
  EXPECT_EQ(BodyOf(service, "k"), "before");
}

INSTANTIATE_TEST_SUITE_P(Everywhere, PointInTimeTest,
                         testing::Values(Where{"memory", "folder"}, Where{"rocksdb", "folder"}, Where{"memory", "s3"},
                                         Where{"rocksdb", "s3"}, Where{"rocksdb", "plains3"},
                                         Where{"postgres", "folder"}, Where{"postgres", "s3"}, Where{"redis", "folder"},
                                         Where{"redis", "s3"}, Where{"redis_cluster", "folder"}),
                         WhereName);

// Of what outlives its process; its own log is that of rocksdb.
using DurablePointInTimeTest = PointInTimeTest;
using RocksDbPointInTimeTest = PointInTimeTest;

// Nothing is shipped by itself before the kill: what was acknowledged comes from what the database keeps.
TEST_P(DurablePointInTimeTest, AKillBetweenWritingAndShippingLosesNothing_fault) {
  std::vector<Write> writes;
  {
    Service service = Open();
    Backup(service, "one");
    writes = WriteAndKill(service, "r", 300);
  }
  ASSERT_GE(writes.size(), 300U);
  Service service = Open();
  RestoreAndCheck(service, writes, {writes.size() * 2 / 3, writes.size() / 3});
  ExpectWhole(writes);
}

TEST_P(DurablePointInTimeTest, KillsWhileItShipsLeaveAWholeLogThatOutlivesTheDisk_fault) {
  std::vector<Write> writes;
  constexpr int kRounds = 5;
  for (int round = 0; round < kRounds; ++round) {
    Service service = Open("1s");
    if (round == 0) Backup(service, "one");
    // Shipping goes on at any moment of it.
    const auto some = WriteAndKill(service, fmt::format("r{}", round), 150 * (round + 1));
    writes.insert(writes.end(), some.begin(), some.end());
  }
  {
    Service service = Open("1s");
    const Timestamp end = Moment();
    ASSERT_TRUE(Eventually([&] {
      service.Send("PUT", kKeys + "later", {}, "v");
      const json list = service.Json("GET", kBackups);
      return list.contains("restorable") &&
             list.at("restorable").at("latest").get<std::string>() > FormatTimestamp(end);
    }));
    Kill(service);
  }
  ExpectWhole(writes);
  LoseTheStore();
  Service service = Open("1s");
  EXPECT_EQ(BodyOf(service, writes.front().key), "404");
  RestoreAndCheck(service, writes, {writes.size() - 3, writes.size() / 2});
}

// The database lost its archived log before anything of it was shipped.
TEST_P(RocksDbPointInTimeTest, AGapIsRefusedUntilThereIsABackupBehindIt_fault) {
  {
    Service service = Open();
    Backup(service, "one");
    service.Send("PUT", kKeys + "k", {}, "in the gap");
    Kill(service);
  }
  {
    // Without the setting the logs go, and what is written has no time.
    Service service = OpenWith("change_archive: false");
    service.Send("PUT", kKeys + "k", {}, "in the gap too");
    Kill(service);
  }
  Service service = Open("1s");
  const std::string behind = FormatTimestamp(Moment());
  const Finished refused = Holdfast(service, {"restore", "--to-time", behind});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.errors, HasSubstr("are missing in its change log"));
  EXPECT_FALSE(service.Json("GET", kBackups).contains("restorable"));
  EXPECT_EQ(BodyOf(service, "k"), "in the gap too");
  ExpectTimesBehindANewBackup(service);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, DurablePointInTimeTest,
                         testing::Values(Where{"rocksdb", "folder"}, Where{"rocksdb", "s3"},
                                         Where{"rocksdb", "plains3"}, Where{"postgres", "folder"},
                                         Where{"postgres", "s3"}, Where{"redis", "folder"}, Where{"redis", "s3"},
                                         Where{"redis_cluster", "folder"}),
                         WhereName);
INSTANTIATE_TEST_SUITE_P(Everywhere, RocksDbPointInTimeTest,
                         testing::Values(Where{"rocksdb", "folder"}, Where{"rocksdb", "s3"},
                                         Where{"rocksdb", "plains3"}),
                         WhereName);

}  // namespace
}  // namespace holdfast
