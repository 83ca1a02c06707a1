#include "operator/controllers/storagecluster/volume_watch.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::storagecluster {
namespace {

TEST(VolumeUsage, IsReadFromTheServicesHealth) {
  const auto usage = ParseVolumeUsage(R"({"status": "unhealthy", "backends": [
    {"name": "local", "status": "unhealthy", "latency_ms": 0.1, "error": "No space left on device"}],
    "volumes": [{"backend": "local", "capacity_bytes": 1000, "available_bytes": 10}]})");
  ASSERT_TRUE(usage.has_value());
  EXPECT_EQ(usage->capacity_bytes, 1000u);
  EXPECT_EQ(usage->available_bytes, 10u);
}

TEST(VolumeUsage, WhatCannotBeIsNone) {
  for (const char* body : {"", "[]", "{}", R"({"volumes": 1})", R"({"volumes": []})", R"({"volumes": [1]})",
                           R"({"volumes": [{}]})", R"({"volumes": [{"capacity_bytes": 0, "available_bytes": 0}]})",
                           R"({"volumes": [{"capacity_bytes": 10, "available_bytes": 11}]})",
                           R"({"volumes": [{"capacity_bytes": -10, "available_bytes": -11}]})",
                           R"({"volumes": [{"capacity_bytes": "10", "available_bytes": 1}]})"}) {
    EXPECT_EQ(ParseVolumeUsage(body), std::nullopt) << body;
  }
}

class ScriptedProbe : public VolumeProbe {
 public:
  std::optional<VolumeUsage> Ask(const std::string& address, Deadline) override {
    asked.push_back(address);
    return answer;
  }
  std::vector<std::string> asked;
  std::optional<VolumeUsage> answer = VolumeUsage{100, 40};
};

class VolumeWatchTest : public ::testing::Test {
 protected:
  VolumeWatchTest() {
    cluster_ = *api::ParseStorageCluster(Json{{"apiVersion", "storage.holdfast.dev/v1"},
                                              {"kind", "StorageCluster"},
                                              {"metadata", {{"name", "demo"}, {"namespace", "prod"}, {"uid", "u-1"}}},
                                              {"spec", GrowingSpec("2Gi")}})
                    .cluster;
    observed_.claims = {Json::parse(
        R"({"metadata": {"name": "data-demo-0", "namespace": "prod"}, "status": {"capacity": {"storage": "1Gi"}}})")};
    observed_.pods = {Json::parse(R"({"metadata": {"name": "demo-0", "namespace": "prod",
                                                   "labels": {"storage.holdfast.dev/role": "service"}},
                                      "status": {"podIP": "10.0.0.7"}})")};
  }

  // What it says is available; -1: nothing.
  std::int64_t Look(bool anew = false) {
    const VolumeView view = watch_.Look(cluster_, observed_, anew);
    return view.usage ? static_cast<std::int64_t>(view.usage->available_bytes) : -1;
  }

  ManualClock clock_;
  std::shared_ptr<ScriptedProbe> probe_ = std::make_shared<ScriptedProbe>();
  VolumeWatch watch_{probe_, {}, clock_};
  api::StorageCluster cluster_;
  Observed observed_;
};

TEST_F(VolumeWatchTest, AsksOnceAnInterval) {
  EXPECT_EQ(Look(), 40);
  EXPECT_THAT(probe_->asked, ::testing::ElementsAre("10.0.0.7"));
  probe_->answer = VolumeUsage{100, 30};
  clock_.Advance(std::chrono::seconds{59});
  EXPECT_EQ(Look(), 40);
  clock_.Advance(std::chrono::seconds{1});
  EXPECT_EQ(Look(), 30);
  EXPECT_EQ(probe_->asked.size(), 2u);
}

TEST_F(VolumeWatchTest, AnAnswerHoldsAWhileWhenNoOtherComes) {
  EXPECT_EQ(Look(), 40);
  probe_->answer.reset();
  clock_.Advance(std::chrono::minutes{5});
  EXPECT_EQ(Look(), 40);
  // Whoever is about to act gets no old one.
  EXPECT_EQ(Look(true), -1);
  clock_.Advance(std::chrono::minutes{1});
  EXPECT_EQ(Look(), -1);
}

TEST_F(VolumeWatchTest, ForgetsWhatWasBeforeTheVolumeGrewOrTheClusterWasMadeAnew) {
  EXPECT_EQ(Look(), 40);
  probe_->answer = VolumeUsage{200, 140};
  observed_.claims[0]["status"]["capacity"]["storage"] = "2Gi";
  EXPECT_EQ(Look(), 140);
  probe_->answer.reset();
  cluster_.uid = "u-2";
  EXPECT_EQ(Look(), -1);
}

TEST_F(VolumeWatchTest, AsksNoPodThatIsGoingOrAnothers) {
  observed_.pods[0]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  EXPECT_EQ(Look(), -1);
  observed_.pods[0]["metadata"].erase("deletionTimestamp");
  observed_.pods[0]["metadata"]["labels"]["storage.holdfast.dev/role"] = "migration";
  EXPECT_EQ(Look(), -1);
  EXPECT_TRUE(probe_->asked.empty());
}

TEST_F(VolumeWatchTest, ARefusalIsRememberedForAWhile) {
  watch_.Refused({"prod", "demo"}, {"VolumeResizeFailed", "no"}, std::chrono::minutes{10});
  // Of a cluster that was never looked at it is of another one of its name.
  EXPECT_EQ(watch_.Look(cluster_, observed_).refusal, std::nullopt);
  watch_.Refused({"prod", "demo"}, {"VolumeResizeFailed", "no"}, std::chrono::minutes{10});
  clock_.Advance(std::chrono::minutes{9});
  EXPECT_EQ(watch_.Look(cluster_, observed_).refusal->message, "no");
  clock_.Advance(std::chrono::minutes{1});
  EXPECT_EQ(watch_.Look(cluster_, observed_).refusal, std::nullopt);
}

}  // namespace
}  // namespace holdfast::storagecluster
