#include "operator/controllers/storagecluster/volume_watch.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/resources/names.h"
#include "operator/resources/postgres.h"
#include "tests/loopback/reservation.h"
#include "tests/unit/operator/controllers/cluster_bench.h"
#include "tests/waiting/eventually.h"

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

// The program that stands beside a PostgreSQL server, as a pod runs it, and the question as the operator puts it.
class VolumeProgram : public ::testing::Test {
 protected:
  VolumeProgram() {
    folder_ = std::filesystem::temp_directory_path() / ("volume-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    api::StorageCluster cluster = *api::ParseStorageCluster(Json{{"apiVersion", "storage.holdfast.dev/v1"},
                                                                 {"kind", "StorageCluster"},
                                                                 {"metadata", {{"name", "demo"}}},
                                                                 {"spec", GrowingPostgresSpec("2Gi")}})
                                       .cluster;
    const Json files = resources::BackendFiles(cluster, cluster.spec.backends[0]);
    const std::string script = (folder_ / resources::kVolumeScript).string();
    std::ofstream(script) << files.at(resources::kVolumeScript).get<std::string>();
    std::vector<std::string> words = {"python3",       "-I", script, "127.0.0.1", std::to_string(port_.number()),
                                      folder_.string()};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    if (::posix_spawnp(&process_, "python3", nullptr, nullptr, arguments.data(), environ) != 0) process_ = -1;
  }
  ~VolumeProgram() override {
    if (process_ > 0) {
      ::kill(process_, SIGKILL);
      ::waitpid(process_, nullptr, 0);
    }
    std::filesystem::remove_all(folder_);
  }

  const loopback::ReservedPort port_;
  std::filesystem::path folder_;
  pid_t process_ = -1;
};

TEST(VolumeUsage, IsThatOfTheBackendWhereSeveralHaveVolumes) {
  const std::string body = R"({"volumes": [{"backend": "a", "capacity_bytes": 100, "available_bytes": 60},
                                           {"backend": "b", "capacity_bytes": 200, "available_bytes": 30}]})";
  EXPECT_EQ(ParseVolumeUsage(body)->capacity_bytes, 100u);
  EXPECT_EQ(ParseVolumeUsage(body, "b")->available_bytes, 30u);
  EXPECT_EQ(ParseVolumeUsage(body, "c"), std::nullopt);
}

TEST_F(VolumeProgram, TellsHowFullTheFileSystemIsAndEndsWhenItIsAsked) {
  ASSERT_GT(process_, 0);
  const auto probe = MakeVolumeProbe();
  std::optional<VolumeUsage> usage;
  ASSERT_TRUE(Eventually(
      [&] {
        usage = probe->Ask("127.0.0.1", port_.number(), "", Deadline::After(std::chrono::seconds{5}));
        return usage.has_value();
      },
      std::chrono::seconds{30}));
  EXPECT_EQ(usage->capacity_bytes, std::filesystem::space(folder_).capacity);
  EXPECT_LE(usage->available_bytes, usage->capacity_bytes);
  // Otherwise every end of a pod would take as long as the server may.
  ASSERT_EQ(::kill(process_, SIGTERM), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(process_, &status, 0), process_);
  EXPECT_TRUE(WIFEXITED(status));
  process_ = -1;
}

class ScriptedProbe : public VolumeProbe {
 public:
  std::optional<VolumeUsage> Ask(const std::string& address, std::uint16_t port, const std::string&,
                                 Deadline) override {
    const std::lock_guard lock(mutex_);
    asked.push_back(address + ":" + std::to_string(port));
    return answer;
  }
  std::vector<std::string> asked;
  std::optional<VolumeUsage> answer = VolumeUsage{100, 40};

 private:
  std::mutex mutex_;
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
    const VolumeView view = watch_.Look(cluster_, observed_, anew)["data-demo-0"];
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
  EXPECT_THAT(probe_->asked, ::testing::ElementsAre("10.0.0.7:9090"));
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

// Every instance has a volume of its own, and the container beside the server tells of it.
TEST_F(VolumeWatchTest, AsksEveryInstanceAboutItsOwn) {
  cluster_ = *api::ParseStorageCluster(Json{{"apiVersion", "storage.holdfast.dev/v1"},
                                            {"kind", "StorageCluster"},
                                            {"metadata", {{"name", "demo"}, {"namespace", "prod"}, {"uid", "u-1"}}},
                                            {"spec", GrowingPostgresSpec("2Gi")}})
                  .cluster;
  observed_.pods.clear();
  for (const char* name : {"demo-db-0", "demo-db-2"}) {
    observed_.pods.push_back(
        {{"metadata", {{"name", name}, {"namespace", "prod"}, {"labels", {{"storage.holdfast.dev/role", "postgres"}}}}},
         {"status", {{"podIP", name}}}});
  }
  VolumeViews views = watch_.Look(cluster_, observed_);
  EXPECT_THAT(probe_->asked, ::testing::UnorderedElementsAre("demo-db-0:9091", "demo-db-2:9091"));
  EXPECT_EQ(views["pgdata-demo-db-0"].usage->available_bytes, 40u);
  EXPECT_EQ(views["pgdata-demo-db-1"].usage, std::nullopt);
  EXPECT_EQ(views["pgdata-demo-db-2"].usage->available_bytes, 40u);
  watch_.Refused({"prod", "demo"}, "pgdata-demo-db-2", {"VolumeResizeFailed", "no"}, std::chrono::minutes{10});
  views = watch_.Look(cluster_, observed_);
  EXPECT_EQ(views["pgdata-demo-db-0"].refusal, std::nullopt);
  EXPECT_EQ(views["pgdata-demo-db-2"].refusal->message, "no");
}

TEST_F(VolumeWatchTest, ARefusalIsRememberedForAWhile) {
  watch_.Refused({"prod", "demo"}, "data-demo-0", {"VolumeResizeFailed", "no"}, std::chrono::minutes{10});
  // Of a cluster that was never looked at it is of another one of its name.
  EXPECT_EQ(watch_.Look(cluster_, observed_)["data-demo-0"].refusal, std::nullopt);
  watch_.Refused({"prod", "demo"}, "data-demo-0", {"VolumeResizeFailed", "no"}, std::chrono::minutes{10});
  clock_.Advance(std::chrono::minutes{9});
  EXPECT_EQ(watch_.Look(cluster_, observed_)["data-demo-0"].refusal->message, "no");
  clock_.Advance(std::chrono::minutes{1});
  EXPECT_EQ(watch_.Look(cluster_, observed_)["data-demo-0"].refusal, std::nullopt);
}

}  // namespace
}  // namespace holdfast::storagecluster
