// Change logs in a bucket, with what networks and S3 servers do to the requests that carry them, and with a process
// that dies at each of them: what was acknowledged is restored exactly, from one log without a gap.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "base/time/duration.h"
#include "tests/integration/point_in_time/point_in_time_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using s3_servers::Fault;
using testing::HasSubstr;

bool IsOfSegment(const std::string& head, const char* method) {
  return head.starts_with(method) && head.find("/main.changes/log/0") != std::string::npos;
}

class S3PointInTimeTest : public PointInTimeTest {
 protected:
  // At the PUTs of segments from now on, the first `count` of them.
  void StrikeAtUploads(Fault fault, int count = 1) {
    struck_ = 0;
    proxy().Strike([this, fault, count](int, const std::string& head) {
      if (!IsOfSegment(head, "PUT ") || struck_ == count) return Fault::kNone;
      ++struck_;
      return fault;
    });
  }
  static std::vector<Write> WriteSome(Service& service, const std::string& name) {
    std::vector<Write> all;
    for (int i = 0; i < 20; ++i) {
      Write write{fmt::format("{}-{}", name, i), SystemClock().Now(), {}};
      const int status = service.Send("PUT", kKeys + write.key, {}, "v").status;
      EXPECT_LT(status, 300);
      write.answered = SystemClock().Now();
      all.push_back(write);
    }
    return all;
  }
  static int Runs(Service& service, const std::string& result) {
    const std::string page = service.Admin("/metrics").body;
    const std::string name = "holdfast_change_archive_runs_total{result=\"" + result + "\",store=\"main\"} ";
    const std::size_t at = page.find(name);
    return at == std::string::npos ? 0 : std::stoi(page.substr(at + name.size()));
  }
  // Both that everything of before has been shipped, and that it was by itself.
  void AwaitShipped(Service& service) const {
    const Timestamp end = Moment();
    service.Send("PUT", kKeys + "end", {}, "v");
    ASSERT_TRUE(Eventually([&] {
      const nlohmann::json list = service.Json("GET", kBackups);
      return list.contains("restorable") &&
             list.at("restorable").at("latest").get<std::string>() > FormatTimestamp(end);
    }));
  }

  std::atomic<int> struck_{0};
};

TEST_P(S3PointInTimeTest, WhatHappensOnceAtAnUploadIsTriedAgainAndStandsThereOnce_fault) {
  Service service = Open("1s");
  Backup(service, "one");
  std::vector<Write> writes;
  for (const Fault fault : {Fault::kRefuse, Fault::kCutRequest, Fault::kSwallowAnswer, Fault::kSlowDown,
                            Fault::kFlipRequest, Fault::kFlipAnswer}) {
    StrikeAtUploads(fault);
    const auto some = WriteSome(service, fmt::format("f{}", static_cast<int>(fault)));
    writes.insert(writes.end(), some.begin(), some.end());
    ASSERT_TRUE(Eventually([&] { return struck_ == 1; })) << static_cast<int>(fault);
    AwaitShipped(service);
  }
  proxy().Strike(nullptr);
  ExpectWhole(writes);
  RestoreAndCheck(service, writes, {writes.size() - 10, writes.size() / 2, 30});
}

// Longer than the attempts of a request last, at its beginning, in its middle and behind its effect.
TEST_P(S3PointInTimeTest, AnOutageIsCaughtUp_fault) {
  Service service = Open("1s");
  Backup(service, "one");
  std::vector<Write> writes;
  for (const Fault fault : {Fault::kRefuse, Fault::kCutRequest, Fault::kSwallowAnswer}) {
    const int failed = Runs(service, "error");
    const std::size_t segments = Segments().size();
    StrikeAtUploads(fault, 5);
    for (int i = 0; i < 2; ++i) {
      const auto some = WriteSome(service, fmt::format("f{}-{}", static_cast<int>(fault), i));
      writes.insert(writes.end(), some.begin(), some.end());
      // Shipping fails as a whole, and what comes next is more than what was sent.
      ASSERT_TRUE(Eventually([&] { return Runs(service, "error") >= failed + i + 1; })) << static_cast<int>(fault);
    }
    if (fault != Fault::kSwallowAnswer) {
      EXPECT_EQ(Segments().size(), segments) << "the control: nothing came through";
    }
    proxy().Strike(nullptr);
    AwaitShipped(service);
  }
  ExpectWhole(writes);
  RestoreAndCheck(service, writes, {writes.size() - 10, writes.size() / 2, 30});
}

// Nobody waits for the requests any more when the server gets them: what it is sent next must not be something else.
TEST_P(S3PointInTimeTest, AnUploadThatArrivesLongAfterItWasGivenUpChangesNothing_fault) {
  Service service = Open("1s", "attempts: 2, timeout: 2s");
  Backup(service, "one");
  StrikeAtUploads(Fault::kDeliverLate, 2);
  std::vector<Write> writes = WriteSome(service, "sent");
  ASSERT_TRUE(Eventually([&] { return Runs(service, "error") >= 1; }));
  ASSERT_EQ(struck_, 2) << "all attempts of one segment";
  const auto more = WriteSome(service, "later");
  writes.insert(writes.end(), more.begin(), more.end());
  AwaitShipped(service);
  proxy().Release();
  const auto delivered = [&] { return proxy().late() == 2; };
  ASSERT_TRUE(Eventually(delivered));
  AwaitShipped(service);
  ExpectWhole(writes);
  RestoreAndCheck(service, writes, {writes.size() - 5, 10});
}

TEST_P(S3PointInTimeTest, AKillInTheMiddleOfAnUploadOrBehindItLosesNothing_fault) {
  std::vector<Write> writes;
  constexpr int kRounds = 3;
  for (int round = 0; round < kRounds; ++round) {
    for (const Fault moment : {Fault::kHoldInMiddle, Fault::kHoldAnswer}) {
      proxy().Strike(nullptr);
      Service service = Open("1s");
      if (writes.empty()) Backup(service, "one");
      const std::size_t before = Segments().size();
      StrikeAtUploads(moment);
      const auto some = WriteAndKill(service, fmt::format("r{}-{}", round, static_cast<int>(moment)), [&](const auto&) {
        EXPECT_TRUE(proxy().AwaitHeld(Deadline::After(std::chrono::minutes{1})));
      });
      writes.insert(writes.end(), some.begin(), some.end());
      ASSERT_EQ(struck_, 1);
      EXPECT_EQ(Segments().size(), before + (moment == Fault::kHoldAnswer ? 1 : 0));
    }
  }
  proxy().Strike(nullptr);
  {
    Service service = Open("1s");
    AwaitShipped(service);
    Kill(service);
  }
  ExpectWhole(writes);
  LoseTheStore();
  Service service = Open();
  RestoreAndCheck(service, writes, {writes.size() - 3, writes.size() / 2, writes.size() / 4});
}

TEST_P(S3PointInTimeTest, AByteThatChangesOnItsWayBackIsRefusedBeforeAnythingChanges_fault) {
  Service service = Open("1s");
  Backup(service, "one");
  service.Send("PUT", kKeys + "k", {}, "before");
  const std::string moment = FormatTimestamp(Moment());
  service.Send("PUT", kKeys + "k", {}, "after");
  AwaitShipped(service);
  // The second one holds them; the first one is only what the log begins with.
  proxy().Strike([](int, const std::string& head) {
    return IsOfSegment(head, "GET ") && head.find("000000000002") != std::string::npos ? Fault::kFlipAnswer
                                                                                       : Fault::kNone;
  });
  const Finished refused = Holdfast(service, {"restore", "--to-time", moment});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.errors, HasSubstr("corruption"));
  EXPECT_EQ(BodyOf(service, "k"), "after");
  proxy().Strike(nullptr);
  const Finished done = Holdfast(service, {"restore", "--to-time", moment});
  EXPECT_EQ(done.exit_code, 0) << done.errors;
  EXPECT_EQ(BodyOf(service, "k"), "before");
}

INSTANTIATE_TEST_SUITE_P(Everywhere, S3PointInTimeTest,
                         testing::Values(Where{"rocksdb", "s3"}, Where{"rocksdb", "plains3"}, Where{"postgres", "s3"}),
                         WhereName);

}  // namespace
}  // namespace holdfast
