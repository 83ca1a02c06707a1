#include "operator/sentinel/view.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdfast::sentinel {
namespace {

using redis::Value;
using ::testing::ElementsAre;

Value Fields(const std::vector<std::string>& words) {
  std::vector<Value> values;
  for (const std::string& word : words) values.push_back(Value::String(word));
  return Value::Array(std::move(values));
}

Value Master(const std::string& host, const std::string& flags, const std::string& epoch = "3") {
  return Fields({"name", "main", "ip", host, "port", "6379", "flags", flags, "last-ok-ping-reply", "1250",
                 "config-epoch", epoch, "num-other-sentinels", "2"});
}

Value Replica(const std::string& host, const std::string& flags, const std::string& link, const std::string& of) {
  return Fields({"ip", host, "flags", flags, "master-link-status", link, "master-host", of});
}

Report Says(const std::string& master, std::int64_t epoch, bool down = false, bool failover = false) {
  return {.master = master,
          .epoch = epoch,
          .down = down,
          .failover = failover,
          .replicas = {{"demo-cache-1.prod.svc", true}}};
}

TEST(SentinelReport, IsReadFromTheAnswersOfASentinel) {
  const auto report =
      ParseReport(Master("a.svc", "s_down,o_down,master,failover_in_progress"),
                  Value::Array({Replica("b.svc", "slave", "ok", "a.svc"),
                                Replica("c.svc", "s_down,slave,disconnected", "ok", "a.svc"),
                                Replica("d.svc", "slave", "err", "a.svc"), Replica("e.svc", "slave", "ok", "b.svc")}));
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_EQ(report->master, "a.svc");
  EXPECT_EQ(report->epoch, 3);
  EXPECT_TRUE(report->down);
  EXPECT_TRUE(report->failover);
  EXPECT_EQ(report->silent, std::chrono::milliseconds{1250});
  // In step is whoever answers, and has a link, and that to the master.
  EXPECT_THAT(report->replicas, ElementsAre(Report::Replica{"b.svc", true}, Report::Replica{"c.svc", false, true},
                                            Report::Replica{"d.svc", false}, Report::Replica{"e.svc", false}));
  EXPECT_EQ(report->others, 2);
  EXPECT_FALSE(ParseReport(Master("a.svc", "master"), Value::Array({}))->down);
}

TEST(SentinelReport, SaysWhomItWouldNeverChoose) {
  const auto report = ParseReport(Master("a.svc", "master"),
                                  Value::Array({Fields({"ip", "b.svc", "flags", "slave", "slave-priority", "0"}),
                                                Fields({"ip", "c.svc", "flags", "slave", "slave-priority", "17"}),
                                                Fields({"ip", "d.svc", "flags", "slave"})}));
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->replicas.at(0).priority, kNeverMaster);
  EXPECT_EQ(report->replicas.at(1).priority, 17);
  EXPECT_EQ(report->replicas.at(2).priority, kUsualPriority);
}

TEST(SentinelReport, WhatCannotBeIsNone) {
  EXPECT_FALSE(ParseReport(Value(), Value::Array({})).ok());
  EXPECT_FALSE(ParseReport(Fields({"ip"}), Value::Array({})).ok());
  EXPECT_FALSE(ParseReport(Master("a.svc", "master", "x"), Value::Array({})).ok());
  EXPECT_FALSE(ParseReport(Master("", "master"), Value::Array({})).ok());
  EXPECT_FALSE(ParseReport(Master("a.svc", "master"), Value::String("no")).ok());
  EXPECT_FALSE(ParseReport(Master("a.svc", "master"), Value::Array({Value()})).ok());
}

TEST(SentinelView, MostHaveToAnswerAndTheNewestIsBelieved) {
  View view = Judge("cache", {Says("demo-cache-0.prod.svc", 3)}, 3, 3);
  EXPECT_EQ(view.state, State::kSentinelsSilent);
  EXPECT_EQ(view.master, "");
  view = Judge("cache", {Says("demo-cache-0.prod.svc", 3), Says("demo-cache-2.prod.svc", 4)}, 3, 3);
  EXPECT_EQ(view.state, State::kServing);
  EXPECT_EQ(view.master, "demo-cache-2");
  EXPECT_EQ(view.replicas, 2);
  EXPECT_EQ(view.in_step, 1);
  EXPECT_THAT(view.members,
              ElementsAre(View::Member{"demo-cache-1", "Replica"}, View::Member{"demo-cache-2", "Master"}));
}

TEST(SentinelView, AMasterIsDownWhenMostSaySo) {
  const Report up = Says("a.svc", 3);
  const Report down = Says("a.svc", 3, true);
  EXPECT_EQ(Judge("cache", {up, up, down}, 3, 3).state, State::kServing);
  EXPECT_EQ(Judge("cache", {up, down, down}, 3, 3).state, State::kNoMaster);
  EXPECT_EQ(Judge("cache", {up, down, Says("a.svc", 3, true, true)}, 3, 3).state, State::kFailingOver);
}

TEST(SentinelView, WhatIsSaidOfShardsIsAnothers) {
  kube::Json said = {{"backend", "cache"}, {"state", "Serving"}};
  const auto object = [&] { return kube::Json{{"status", {{"redis", kube::Json::array({said})}}}}; };
  EXPECT_TRUE(ViewOf(object(), "cache").has_value());
  EXPECT_FALSE(ViewOf(object(), "other").has_value());
  said["shards"] = kube::Json::array();
  EXPECT_FALSE(ViewOf(object(), "cache").has_value()) << "it would be erased with every change of a pod";
}

}  // namespace
}  // namespace holdfast::sentinel
