// Change logs of a store that several instances serve on one PostgreSQL or Redis: they ship one log, whichever of them
// dies, and what the server cannot keep any more is a gap that is told.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <csignal>
#include <random>
#include <thread>

#include "base/time/duration.h"
#include "tests/integration/point_in_time/point_in_time_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using nlohmann::json;
using testing::HasSubstr;

using SharedPointInTimeTest = PointInTimeTest;

TEST_P(SharedPointInTimeTest, InstancesShipOneLogWhicheverOfThemIsKilled_fault) {
  std::vector<Write> writes;
  Service survivor = OpenBeside("1s");
  Backup(survivor, "one");
  for (int round = 0; round < 3; ++round) {
    Service killed = Open("1s");
    std::vector<Write> own;
    std::thread beside([&] {
      for (int i = 0; i < 100; ++i) {
        Write write{fmt::format("s{}-{}", round, i), SystemClock().Now(), {}};
        EXPECT_LT(survivor.Send("PUT", kKeys + write.key, {}, "v").status, 300);
        write.answered = SystemClock().Now();
        own.push_back(write);
      }
    });
    const auto some = WriteAndKill(killed, fmt::format("r{}", round), 100);
    beside.join();
    writes.insert(writes.end(), some.begin(), some.end());
    writes.insert(writes.end(), own.begin(), own.end());
  }
  // Also what was written beside the survivor, which takes over what the dead may have been about to ship.
  const Timestamp end = Moment();
  survivor.Send("PUT", kKeys + "end", {}, "v");
  ASSERT_TRUE(Eventually([&] {
    const json list = survivor.Json("GET", kBackups);
    return list.contains("restorable") && list.at("restorable").at("latest").get<std::string>() > FormatTimestamp(end);
  }));
  ExpectWhole(writes);
  RestoreAndCheck(survivor, writes, {writes.size() - 3, writes.size() / 2, writes.size() / 4});
}

// Each transaction writes two keys: whatever the moment, both say the same.
TEST_P(SharedPointInTimeTest, TransactionsAreThereAsAWhole) {
  Service service = Open();
  Service beside = OpenBeside("24h");
  Backup(service, "one");
  std::vector<Timestamp> moments;
  constexpr int kTransactions = 60;
  const auto write = [](Service& at, const std::string& pair, int number) {
    const json operations = json::array({{{"op", "put"}, {"key", pair + "-a"}, {"value", std::to_string(number)}},
                                         {{"op", "put"}, {"key", pair + "-b"}, {"value", std::to_string(number)}}});
    EXPECT_LT(at.Send("POST", "/v1/stores/main/transaction", {{"Content-Type", "application/json"}},
                      json{{"then", operations}}.dump())
                  .status,
              300);
  };
  std::thread other([&] {
    for (int i = 0; i < kTransactions; ++i) write(beside, "x", i);
  });
  for (int i = 0; i < kTransactions; ++i) {
    write(service, "x", 1'000 + i);
    moments.push_back(SystemClock().Now());
  }
  other.join();
  for (const std::size_t which : {std::size_t{50}, std::size_t{25}, std::size_t{5}}) {
    const Finished done = Holdfast(service, {"restore", "--to-time", FormatTimestamp(moments[which])});
    ASSERT_EQ(done.exit_code, 0) << done.errors;
    EXPECT_EQ(BodyOf(service, "x-a"), BodyOf(service, "x-b"));
    EXPECT_NE(BodyOf(service, "x-a"), "404");
  }
}

TEST_P(SharedPointInTimeTest, MoreThanMayWaitIsAGapThatIsToldUntilThereIsABackupBehindIt_fault) {
  Service service = OpenWith("change_archive: true", "24h", "attempts: 2", "change_archive_buffer: 1Mi, ");
  Backup(service, "one");
  service.Send("PUT", kKeys + "k", {}, "few");
  const std::string few = FormatTimestamp(Moment());
  // Few of them wait: the control.
  ASSERT_EQ(Holdfast(service, {"restore", "--to-time", few}).exit_code, 0);
  std::string noise(600'000, 'x');
  std::mt19937 random(1);  // the server compresses what it can
  for (char& byte : noise) byte = static_cast<char>('0' + random() % 64);
  for (int i = 0; i < 6; ++i) service.Send("PUT", kKeys + "large" + std::to_string(i), {}, noise);
  const std::string behind = FormatTimestamp(Moment());
  // Each instance looks six times within instance_timeout.
  ASSERT_TRUE(Eventually([&] { return Archives() == "0"; }));
  const Finished refused = Holdfast(service, {"restore", "--to-time", behind});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.errors, HasSubstr("change_archive_buffer"));
  EXPECT_EQ(BodyOf(service, "k"), "few");
  ExpectTimesBehindANewBackup(service);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, SharedPointInTimeTest,
                         testing::Values(Where{"postgres", "folder"}, Where{"postgres", "s3"}, Where{"redis", "folder"},
                                         Where{"redis", "s3"}),
                         WhereName);

// Two instances could each put a segment of one number there.
using SharedOnPlainS3Test = PointInTimeTest;

TEST_P(SharedOnPlainS3Test, IsRefusedWithTheReasonAndTheRemedy) {
  Service service = Open();
  Backup(service, "one");
  const Finished refused = Holdfast(service, {"restore", "--to-time", FormatTimestamp(Moment())});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(service.process().Errors(), HasSubstr("has no conditional writes, so that two of them could break"));
  EXPECT_THAT(service.process().Errors(), HasSubstr("or backups.directory"));
  EXPECT_EQ(Holdfast(service, {"backup", "restore", "one"}).exit_code, 0) << "the control: the backup is one";
}

INSTANTIATE_TEST_SUITE_P(Everywhere, SharedOnPlainS3Test, testing::Values(Where{"postgres", "plains3"}), WhereName);

}  // namespace
}  // namespace holdfast
