#include "operator/controllers/storagecluster/autogrow.h"

#include <chrono>

#include "base/time/duration.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/resources/names.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::storagecluster {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;
constexpr Timestamp kNow{std::chrono::seconds{1'700'000'000}};

// A volume of 1000Mi in cluster "demo", which may grow to 4000Mi.
class AutogrowTest : public ::testing::Test {
 protected:
  AutogrowTest() {
    object_ = Json::parse(R"({
      "apiVersion": "storage.holdfast.dev/v1", "kind": "StorageCluster",
      "metadata": {"name": "demo", "namespace": "prod", "uid": "u-1", "generation": 4},
      "spec": {"backends": [{"name": "local", "embedded": {"storage": {
                 "size": "1000Mi", "autogrow": {"maxSize": "4000Mi"}}}}],
               "stores": [{"name": "main", "backend": "local"}]}})");
    claim_ = Json::parse(R"({
      "metadata": {"name": "data-demo-0", "namespace": "prod", "uid": "c-1", "resourceVersion": "7",
                   "labels": {"storage.holdfast.dev/owner-uid": "u-1"}},
      "spec": {"resources": {"requests": {"storage": "1000Mi"}}},
      "status": {"capacity": {"storage": "1000Mi"}}})");
  }

  Json& autogrow() { return object_["spec"]["backends"][0]["embedded"]["storage"]["autogrow"]; }
  void SetSize(const char* requested, const char* capacity) {
    claim_["spec"]["resources"]["requests"]["storage"] = requested;
    claim_["status"]["capacity"]["storage"] = capacity;
  }
  void GrownAt(Timestamp when) { claim_["metadata"]["annotations"][kGrownAtAnnotation] = FormatTimestamp(when); }

  // With so many MiB in use of a file system as large as `capacity`.
  Growth Judge(std::uint64_t used, std::uint64_t capacity = 1000) {
    return JudgeView({.usage = VolumeUsage{capacity * kMebibyte, (capacity - used) * kMebibyte}, .refusal = {}});
  }
  Growth JudgeView(const VolumeView& view) {
    const auto parsed = api::ParseStorageCluster(object_);
    EXPECT_TRUE(parsed.errors.empty()) << api::Summarize(parsed.errors);
    Observed observed;
    observed.claims = {claim_};
    return JudgeGrowth(*parsed.cluster, observed, {{"data-demo-0", view}}, kNow).value();
  }
  static std::string SizeIn(const Growth& growth) {
    if (growth.due.empty()) return "none";
    return growth.due.front().action.body.at("spec").at("resources").at("requests").at("storage").get<std::string>();
  }

  Json object_;
  Json claim_;
};

TEST_F(AutogrowTest, GrowsAboveTheThresholdOnly) {
  EXPECT_EQ(SizeIn(Judge(800)), "none");
  EXPECT_EQ(Judge(800).says.reason, "BelowThreshold");
  EXPECT_EQ(Judge(800).status, api::ConditionStatus::kTrue);
  const Growth due = Judge(801);
  EXPECT_EQ(due.status, api::ConditionStatus::kFalse);
  EXPECT_EQ(SizeIn(due), "1250Mi");
  const Json& body = due.due.front().action.body;
  // In the version that was read, and with the time of the growth in the same write.
  EXPECT_EQ(body.at("metadata").at("resourceVersion"), "7");
  EXPECT_EQ(body.at("metadata").at("annotations").at(kGrownAtAnnotation), FormatTimestamp(kNow));
  EXPECT_FALSE(due.needs_person);
}

TEST_F(AutogrowTest, StepsAreTheSpecsAndAsManyAsAreNeeded) {
  autogrow()["increment"] = "100Mi";
  EXPECT_EQ(SizeIn(Judge(801)), "1100Mi");
  // 999 of 1000 in use: at 1200 that would still be above 80 %.
  EXPECT_EQ(SizeIn(Judge(999)), "1300Mi");
  autogrow()["threshold"] = 50;
  EXPECT_EQ(SizeIn(Judge(801)), "1700Mi");
}

TEST_F(AutogrowTest, NeverBeyondTheMaximum) {
  autogrow()["maxSize"] = "1100Mi";
  EXPECT_EQ(SizeIn(Judge(999)), "1100Mi");
  SetSize("1100Mi", "1100Mi");
  const Growth full = Judge(1099, 1100);
  EXPECT_EQ(SizeIn(full), "none");
  EXPECT_EQ(full.says.reason, "MaximumReached");
  EXPECT_THAT(full.says.message, HasSubstr("1100Mi; raise autogrow.maxSize, or delete data"));
  EXPECT_TRUE(full.needs_person);
  // Somebody has made it larger by hand than it may grow by itself.
  SetSize("2000Mi", "2000Mi");
  EXPECT_EQ(SizeIn(Judge(1999, 2000)), "none");
  // And with room there is nothing to tell a person.
  EXPECT_FALSE(Judge(100, 2000).needs_person);
}

TEST_F(AutogrowTest, NotBeforeTheLastGrowthIsDone) {
  SetSize("1250Mi", "1000Mi");
  EXPECT_EQ(SizeIn(Judge(990)), "none");
  EXPECT_EQ(Judge(990).says.reason, "Growing");
  SetSize("1250Mi", "1250Mi");
  EXPECT_EQ(SizeIn(Judge(1240, 1250)), "1563Mi");
}

TEST_F(AutogrowTest, NotBeforeTheIntervalHasPassed) {
  GrownAt(kNow - std::chrono::minutes{9});
  EXPECT_EQ(SizeIn(Judge(990)), "none");
  EXPECT_EQ(Judge(990).says.reason, "WaitingForInterval");
  GrownAt(kNow - std::chrono::minutes{10});
  EXPECT_EQ(SizeIn(Judge(990)), "1250Mi");
  // The clock went back a little, or was far ahead.
  GrownAt(kNow + std::chrono::minutes{5});
  EXPECT_EQ(SizeIn(Judge(990)), "none");
  GrownAt(kNow + std::chrono::hours{24 * 365});
  EXPECT_EQ(SizeIn(Judge(990)), "1250Mi");
  claim_["metadata"]["annotations"][kGrownAtAnnotation] = "yesterday";
  EXPECT_EQ(SizeIn(Judge(990)), "1250Mi");
}

TEST_F(AutogrowTest, AFileSystemOfItsOwnIsALittleSmallerThanTheVolume) {
  // 950 of 1000 are the file system's; what it takes for itself it takes of a larger one as well.
  EXPECT_EQ(SizeIn(Judge(949, 950)), "1250Mi");
  EXPECT_EQ(SizeIn(Judge(700, 950)), "none");
  autogrow()["increment"] = "64Mi";
  // 949 / 80 % = 1186.25, and 50 for the file system.
  EXPECT_EQ(SizeIn(Judge(949, 950)), "1256Mi");
}

TEST_F(AutogrowTest, ASharedFileSystemIsNotGrown) {
  const Growth shared = Judge(99'000, 100'000);
  EXPECT_EQ(SizeIn(shared), "none");
  EXPECT_EQ(shared.status, api::ConditionStatus::kUnknown);
  EXPECT_EQ(shared.says.reason, "SharedFileSystem");
}

TEST_F(AutogrowTest, WithoutAFigureNothingGrows) {
  EXPECT_EQ(SizeIn(JudgeView({})), "none");
  EXPECT_EQ(JudgeView({}).says.reason, "NotTold");
  claim_.erase("status");
  EXPECT_EQ(Judge(990).says.reason, "NotBound");
  claim_["status"]["capacity"]["storage"] = "a lot";
  EXPECT_EQ(Judge(990).says.reason, "NotBound");
}

TEST_F(AutogrowTest, OnlyAClaimOfThisClusterThatStays) {
  claim_["metadata"]["labels"][resources::kOwnerUidLabel] = "u-0";
  EXPECT_EQ(Judge(990).says.reason, "NotBound");
  claim_["metadata"]["labels"][resources::kOwnerUidLabel] = "u-1";
  claim_["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  EXPECT_EQ(Judge(990).says.reason, "NotBound");
}

TEST_F(AutogrowTest, ASleepingClusterNeedsNoRoom) {
  object_["metadata"]["annotations"]["storage.holdfast.dev/hibernate"] = "true";
  EXPECT_EQ(SizeIn(Judge(990)), "none");
  EXPECT_EQ(Judge(990).says.reason, "Hibernated");
}

TEST_F(AutogrowTest, ARefusalIsToldAndNotRepeated) {
  const VolumeView view{.usage = VolumeUsage{1000 * kMebibyte, 0},
                        .refusal = Problem{"VolumeResizeFailed", "the claim was refused: no expansion"}};
  const Growth refused = JudgeView(view);
  EXPECT_EQ(SizeIn(refused), "none");
  EXPECT_EQ(refused.says.reason, "GrowthRefused");
  EXPECT_THAT(refused.says.message, HasSubstr("no expansion"));
  EXPECT_TRUE(refused.needs_person);
}

TEST_F(AutogrowTest, BackendsOfOneVolumeAreAddedUp) {
  object_["spec"]["backends"].push_back(
      Json::parse(R"({"name": "fixed", "embedded": {"storage": {"size": "500Mi"}}})"));
  object_["spec"]["backends"].push_back(Json::parse(
      R"({"name": "more", "embedded": {"storage": {"size": "100Mi", "autogrow": {
            "threshold": 70, "maxSize": "1Gi", "increment": "64Mi", "interval": "6h"}}}})"));
  const auto policy = EmbeddedGrowthPolicy(api::ParseStorageCluster(object_).cluster->spec);
  EXPECT_EQ(policy->threshold_percent, 70u);
  EXPECT_EQ(policy->maximum_bytes, (4000 + 500 + 1024) * kMebibyte);
  EXPECT_EQ(policy->increment_bytes, 64 * kMebibyte);
  EXPECT_EQ(policy->interval, std::chrono::hours{6});
  EXPECT_EQ(EmbeddedGrowthPolicy(api::ParseStorageCluster(Json{{"apiVersion", "storage.holdfast.dev/v1"},
                                                               {"kind", "StorageCluster"},
                                                               {"metadata", {{"name", "demo"}}},
                                                               {"spec", EmbeddedSpec()}})
                                     .cluster->spec),
            std::nullopt);
}

// Through the controller, before an API server.
class AutogrowClusterTest : public ::testing::Test {
 protected:
  void Create(const Json& spec, std::uint64_t used) {
    bench_.disk_used = used * kMebibyte;
    bench_.CreateCluster("demo", spec);
    ASSERT_TRUE(bench_.Converge("demo"));
  }
  void Fill(std::uint64_t used) {
    bench_.disk_used = used * kMebibyte;
    ASSERT_TRUE(bench_.Converge("demo"));
  }
  std::string Requested() {
    return kube::StringAt(bench_.Get(kube::kinds::kPersistentVolumeClaim, "data-demo-0"),
                          "/spec/resources/requests/storage");
  }
  std::string Room() { return bench_.ConditionOf("demo", kStorageHasRoomCondition); }

  ClusterBench bench_;
};

TEST_F(AutogrowClusterTest, FollowsTheDataUpToTheMaximum) {
  Create(GrowingSpec("2Gi"), 100);
  EXPECT_EQ(Requested(), "1Gi");
  EXPECT_EQ(Room(), "True BelowThreshold");
  Fill(900);
  EXPECT_EQ(Requested(), "1280Mi");
  EXPECT_EQ(Room(), "True BelowThreshold");
  EXPECT_TRUE(bench_.HasEvent("VolumeGrowing"));
  EXPECT_FALSE(bench_.HasEvent("MaximumReached"));
  Fill(5000);
  EXPECT_EQ(Requested(), "2Gi");
  EXPECT_EQ(Room(), "False MaximumReached");
  EXPECT_EQ(bench_.ConditionOf("demo", "Degraded"), "True MaximumReached");
  EXPECT_EQ(bench_.ConditionOf("demo", "Ready"), "True Available");
  EXPECT_TRUE(bench_.HasEvent("MaximumReached"));
  // What was deleted does not make it smaller.
  Fill(100);
  EXPECT_EQ(Requested(), "2Gi");
  EXPECT_EQ(Room(), "True BelowThreshold");
  EXPECT_EQ(bench_.ConditionOf("demo", "Degraded"), "False AsExpected");
}

TEST_F(AutogrowClusterTest, WaitsForAVolumeThatDoesNotGrow) {
  Create(GrowingSpec("2Gi"), 100);
  bench_.volumes_grow = false;
  Fill(1000);
  EXPECT_EQ(Requested(), "1280Mi");
  EXPECT_EQ(Room(), "False Growing");
  EXPECT_THAT(bench_.MessageOf("demo", kStorageHasRoomCondition), HasSubstr("growing to 1280Mi"));
  bench_.volumes_grow = true;
  Fill(1000);
  EXPECT_EQ(Room(), "True BelowThreshold");
}

TEST_F(AutogrowClusterTest, WithoutTheFieldNobodyIsAsked) {
  Create(EmbeddedSpec(), 1000);
  EXPECT_EQ(Room(), "");
  EXPECT_EQ(Requested(), "1Gi");
  EXPECT_EQ(bench_.volume_questions, 0);
  bench_.PatchSpec("demo", GrowingSpec("2Gi"));
  Fill(100);
  EXPECT_EQ(Room(), "True BelowThreshold");
  EXPECT_GT(bench_.volume_questions, 0);
  // The condition goes with the field.
  bench_.PatchSpec("demo", EmbeddedSpec());
  Fill(1000);
  EXPECT_EQ(Room(), "");
  EXPECT_EQ(Requested(), "1Gi");
}

// Each instance has a volume of its own; what is said is about the one that is worst off.
class PostgresAutogrowTest : public ::testing::Test {
 protected:
  PostgresAutogrowTest() {
    bench_.disk_used = 100 * kMebibyte;
    bench_.CreateCluster("demo", GrowingPostgresSpec("2Gi"));
  }
  std::string Requested(int instance) {
    return kube::StringAt(
        bench_.Get(kube::kinds::kPersistentVolumeClaim, resources::PostgresClaimName("demo", "db", instance)),
        "/spec/resources/requests/storage");
  }
  std::string Room() { return bench_.ConditionOf("demo", kStorageHasRoomCondition); }

  ClusterBench bench_;
};

TEST_F(PostgresAutogrowTest, OnlyTheVolumeThatIsFullGrows) {
  ASSERT_TRUE(bench_.Converge("demo"));
  EXPECT_EQ(Room(), "True BelowThreshold");
  EXPECT_EQ(bench_.MessageOf("demo", kStorageHasRoomCondition), "each of the 3 volumes that may grow has room");
  bench_.disk_used_of["pgdata-demo-db-1"] = 900 * kMebibyte;
  ASSERT_TRUE(bench_.Converge("demo"));
  EXPECT_EQ(Requested(0), "1Gi");
  EXPECT_EQ(Requested(1), "1280Mi");
  EXPECT_EQ(Requested(2), "1Gi");
  EXPECT_EQ(Room(), "True BelowThreshold");
  bench_.disk_used_of["pgdata-demo-db-1"] = 5000 * kMebibyte;
  ASSERT_TRUE(bench_.Converge("demo"));
  EXPECT_EQ(Requested(1), "2Gi");
  EXPECT_EQ(Room(), "False MaximumReached");
  EXPECT_THAT(bench_.MessageOf("demo", kStorageHasRoomCondition), HasSubstr("pgdata-demo-db-1"));
  EXPECT_EQ(bench_.ConditionOf("demo", "Degraded"), "True MaximumReached");
  EXPECT_EQ(bench_.ConditionOf("demo", "Ready"), "True Available");
}

// A full disk takes the servers down; who tells of it stands beside them and goes on.
TEST_F(PostgresAutogrowTest, VolumesGrowWhileAFullDiskKeepsTheServersDown) {
  ASSERT_TRUE(bench_.Converge("demo"));
  bench_.servers_get_ready = false;
  bench_.disk_used = 1024 * kMebibyte;
  ASSERT_TRUE(bench_.Converge("demo"));
  EXPECT_EQ(bench_.ConditionOf("demo", "Ready").substr(0, 5), "False");
  for (int instance = 0; instance < 3; ++instance) EXPECT_EQ(Requested(instance), "1536Mi") << instance;
  EXPECT_EQ(Room(), "True BelowThreshold");
}

TEST_F(PostgresAutogrowTest, ServersThatHaveNotStartedHaveNoVolumeToJudge) {
  ASSERT_TRUE(bench_.Reconcile("demo").ok());
  EXPECT_EQ(Room(), "Unknown NotBound");
  EXPECT_EQ(bench_.volume_questions, 0);
}

// The API server's answer to a storage class without expansion: the cluster is as ready as before.
TEST(AutogrowRefused, LeavesTheClusterReady) {
  class NoExpansion : public CrashingClient {
   public:
    using CrashingClient::CrashingClient;
    Result<Json> MergePatch(const kube::ResourceKind& kind, const kube::ObjectKey& key, const Json& patch,
                            Deadline deadline) override {
      if (kind == kube::kinds::kPersistentVolumeClaim && patch.contains("spec")) {
        return Error(ErrorCode::kFailedPrecondition, "only dynamically provisioned pvc can be resized");
      }
      return CrashingClient::MergePatch(kind, key, patch, deadline);
    }
  };
  ClusterBench bench(ClusterBench::Transport::kInProcess,
                     [](std::shared_ptr<kube::Client> next) { return std::make_shared<NoExpansion>(std::move(next)); });
  bench.disk_used = 1000 * kMebibyte;
  Json spec = GrowingSpec("2Gi");
  spec["backends"][0]["embedded"]["storage"]["autogrow"]["interval"] = "1h";
  bench.CreateCluster("demo", spec);
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", kStorageHasRoomCondition), "False GrowthRefused");
  EXPECT_EQ(bench.ConditionOf("demo", "Degraded"), "True GrowthRefused");
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  EXPECT_THAT(bench.MessageOf("demo", "Degraded"), HasSubstr("only dynamically provisioned pvc can be resized"));
}

}  // namespace
}  // namespace holdfast::storagecluster
