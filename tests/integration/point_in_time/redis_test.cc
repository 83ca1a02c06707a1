// A change log of a store on Redis, whose server is killed, started again and emptied: a time is given only where
// nothing that was acknowledged by then may be missing.
#include <gmock/gmock.h>

#include "base/time/duration.h"
#include "tests/integration/point_in_time/point_in_time_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using testing::HasSubstr;

class RedisPointInTimeTest : public PointInTimeTest {
 protected:
  static bool Put(Service& service, const std::string& key, const std::string& value) {
    return service.Send("PUT", kKeys + key, {}, value).status < 300;
  }
  void StartRedisAgain(Service& service) {
    redis().Kill();
    ASSERT_TRUE(redis().StartAgain().ok());
    ASSERT_TRUE(Eventually([&] { return Put(service, "again", "v"); }));
  }
  static void ExpectRefusedBehindAGap(Service& service, const std::string& why) {
    const Finished refused = Holdfast(service, {"restore", "--to-time", FormatTimestamp(Moment())});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_THAT(refused.errors, HasSubstr("are missing in its change log"));
    EXPECT_THAT(refused.errors, HasSubstr(why));
    EXPECT_FALSE(service.Json("GET", kBackups).contains("restorable"));
  }
};

// Service and server are killed at once, behind acknowledged writes of which nothing was shipped.
TEST_P(RedisPointInTimeTest, WhatADurableServerAcknowledgedOutlivesBoth_fault) {
  SetBackend(", durable: true");
  std::vector<Write> writes;
  {
    Service service = Open();
    Backup(service, "one");
    writes = WriteAndKill(service, "r", 200);
    redis().Kill();
    ASSERT_TRUE(redis().StartAgain().ok());
  }
  Service service = Open();
  RestoreAndCheck(service, writes, {writes.size() * 2 / 3, writes.size() / 3});
  ExpectWhole(writes);
}

TEST_P(RedisPointInTimeTest, AServerThatIsStartedAgainIsAGapUnlessItIsDurable_fault) {
  Service service = Open();
  Backup(service, "one");
  ASSERT_TRUE(Put(service, "k", "shipped"));
  const std::string shipped = FormatTimestamp(Moment());
  ASSERT_EQ(Holdfast(service, {"restore", "--to-time", shipped}).exit_code, 0) << "the control";
  ASSERT_TRUE(Put(service, "k", "not shipped"));
  StartRedisAgain(service);
  ExpectRefusedBehindAGap(service, "was started again");
  EXPECT_EQ(BodyOf(service, "k"), "not shipped");
  // What was shipped before can be had.
  const Finished before = Holdfast(service, {"restore", "--to-time", shipped});
  EXPECT_EQ(before.exit_code, 0) << before.errors;
  EXPECT_EQ(BodyOf(service, "k"), "shipped");
  ExpectTimesBehindANewBackup(service);
}

TEST_P(RedisPointInTimeTest, DataThatIsLostIsAGap_fault) {
  Service service = Open();
  Backup(service, "one");
  ASSERT_TRUE(Put(service, "k", "v"));
  ASSERT_EQ(Holdfast(service, {"restore", "--to-time", FormatTimestamp(Moment())}).exit_code, 0) << "the control";
  ASSERT_TRUE(redis().Cli({"FLUSHALL"}).ok());
  ASSERT_TRUE(Eventually([&] { return Put(service, "again", "v"); }));
  ExpectRefusedBehindAGap(service, "has lost its data");
  ExpectTimesBehindANewBackup(service);
  // With the server, as one without a file does.
  redis().Kill();
  ASSERT_TRUE(redis().EmptyData().ok());
  ASSERT_TRUE(redis().StartAgain().ok());
  ASSERT_TRUE(Eventually([&] { return Put(service, "again", "v"); }));
  ExpectRefusedBehindAGap(service, "has lost its data");
}

INSTANTIATE_TEST_SUITE_P(Everywhere, RedisPointInTimeTest, testing::Values(Where{"redis", "folder"}), WhereName);

class RedisFailoverPointInTimeTest : public RedisPointInTimeTest {};

// The master is killed behind acknowledged writes, some of which no replica may have.
TEST_P(RedisFailoverPointInTimeTest, AnotherMasterIsAGap_fault) {
  Service service = Open();
  Backup(service, "one");
  ASSERT_TRUE(Put(service, "k", "shipped"));
  const std::string shipped = FormatTimestamp(Moment());
  ASSERT_EQ(Holdfast(service, {"restore", "--to-time", shipped}).exit_code, 0) << "the control";
  ASSERT_TRUE(Put(service, "k", "not shipped"));
  redis_servers::RedisServer* const before = group().Master().value();
  before->Kill();
  ASSERT_TRUE(group().AwaitOtherMaster(*before).ok());
  ASSERT_TRUE(Eventually([&] { return Put(service, "again", "v"); }, std::chrono::seconds{60}));
  ExpectRefusedBehindAGap(service, "another one took over");
  const Finished done = Holdfast(service, {"restore", "--to-time", shipped});
  EXPECT_EQ(done.exit_code, 0) << done.errors;
  EXPECT_EQ(BodyOf(service, "k"), "shipped");
  ExpectTimesBehindANewBackup(service);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, RedisFailoverPointInTimeTest, testing::Values(Where{"redis_sentinel", "folder"}),
                         WhereName);

}  // namespace
}  // namespace holdfast
