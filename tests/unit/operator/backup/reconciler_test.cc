#include "operator/backup/reconciler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/time/duration.h"
#include "operator/api/v1/backup_health.h"
#include "operator/api/v1/crd.h"
#include "operator/kube/base64.h"
#include "operator/local/api_server/api_server.h"
#include "operator/resources/names.h"
#include "tests/unit/operator/controllers/in_process_client.h"

namespace holdfast::backup {
namespace {

using kube::Json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kClusters[] = "/apis/storage.holdfast.dev/v1/namespaces/default/storageclusters";

// What the test last showed to the operator.
class Shown : public kube::Lister {
 public:
  kube::ObjectPtr Get(const kube::ObjectKey& key) const override {
    const auto found = objects.find(key);
    return found == objects.end() ? nullptr : found->second;
  }
  std::vector<kube::ObjectPtr> List(const std::string&) const override { return {}; }
  void Put(const Json& object) { objects[kube::KeyOf(object)] = std::make_shared<Json>(object); }
  std::map<kube::ObjectKey, kube::ObjectPtr> objects;
};

class Events : public kube::EventRecorder {
 public:
  void Record(const Json&, kube::EventType, std::string_view reason, std::string_view) override {
    reasons.emplace_back(reason);
  }
  std::vector<std::string> reasons;
};

// A repository whose backups are made by the test.
class FakeRepository : public RepositoryClient {
 public:
  Result<Report> Ask(const Endpoint&, Deadline) override {
    if (!answers) return Error(ErrorCode::kUnavailable, "refused");
    return report;
  }
  Result<Archiver> AskServer(const Endpoint& server, Deadline) override {
    asked_server = server.name;
    return archiver;
  }
  Status Begin(const Endpoint&, const Step& step, std::chrono::seconds, Deadline) override {
    begun.push_back(step);
    return {};
  }
  // What was begun last is done.
  void Finish(Timestamp now) {
    const Step& step = begun.back();
    if (step.kind == Step::Kind::kCreateStanza) {
      report.stanza = true;
      return;
    }
    report.backups.push_back(
        {.type = step.kind == Step::Kind::kFull ? "full" : "diff", .tick = step.tick, .start = now, .stop = now});
    report.backup = Attempt{.type = report.backups.back().type, .started = now, .ended = now, .ok = true};
  }

  bool answers = true;
  Report report;
  Archiver archiver;
  std::string asked_server;
  std::vector<Step> begun;
};

class BackupReconcilerTest : public testing::Test {
 protected:
  BackupReconcilerTest() : clock_(ParseTimestamp("2026-11-25T12:00:00Z").value()) {
    EXPECT_TRUE(
        api_.Call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", api::StorageClusterDefinition())
            .ok());
    const Json backup = {{"storage", {{"size", "1Gi"}}}, {"schedule", {{"differential", "@daily"}}}};
    const Json postgres = {{"instances", 1}, {"storage", {{"size", "1Gi"}}}, {"backup", backup}};
    const auto made = api_.Call("POST", kClusters,
                                {{"apiVersion", "storage.holdfast.dev/v1"},
                                 {"kind", "StorageCluster"},
                                 {"metadata", {{"name", "demo"}}},
                                 {"spec",
                                  {{"backends", Json::array({{{"name", "db"}, {"postgres", postgres}}})},
                                   {"stores", Json::array({{{"name", "main"}, {"backend", "db"}}})}}}});
    EXPECT_TRUE(made.ok()) << made.body;
    Json data = Json::object();
    for (const char* file : {"ca.crt", "tls.crt", "tls.key"}) data[file] = kube::Base64Encode("pem");
    EXPECT_TRUE(
        api_.Call("POST", "/api/v1/namespaces/default/secrets",
                  {{"apiVersion", "v1"}, {"kind", "Secret"}, {"metadata", {{"name", "demo-db-tls"}}}, {"data", data}})
            .ok());
    ShowPod(&repositories_, "demo-db-backup-0", {});
    ShowPod(&servers_, "demo-db-0", {{resources::kPatroniRoleLabel, resources::kPatroniPrimary}});
    StartOperator();
  }

  static void ShowPod(Shown* shown, const char* name, const Json& labels) {
    Json pod = {{"metadata", {{"namespace", "default"}, {"name", name}}}, {"status", {{"podIP", "10.0.0.1"}}}};
    if (!labels.empty()) pod["metadata"]["labels"] = labels;
    shown->Put(pod);
  }
  // The operator's own: a new one has an empty memory.
  void StartOperator() {
    reconciler_ = std::make_unique<BackupReconciler>(
        client_, events_,
        [this](const std::string&) {
          return BackupReconciler::Copies{&clusters_, &repositories_, &servers_};
        },
        repository_, BackupOptions{}, clock_);
  }
  Json Cluster() { return api_.Call("GET", std::string(kClusters) + "/demo").body; }
  runtime::Outcome Look() {
    clusters_.Put(Cluster());
    const auto outcome = reconciler_->Reconcile({"default", "demo/db"}, {});
    EXPECT_TRUE(outcome.ok()) << outcome.error().ToString();
    return outcome.ok() ? *outcome : runtime::Outcome::Done();
  }
  Json Row() {
    const Json rows = Cluster().value("/status/backups"_json_pointer, Json::array());
    return rows.empty() ? Json::object() : rows.front();
  }
  std::string Healthy() {
    for (const Json& each : Cluster().value("/status/conditions"_json_pointer, Json::array())) {
      if (each.at("type") == api::kBackupHealthyCondition) {
        return each.at("status").get<std::string>() + " " + each.at("reason").get<std::string>();
      }
    }
    return "";
  }
  void Annotate(const char* annotation, const Json& value) {
    EXPECT_TRUE(api_.Call("PATCH", std::string(kClusters) + "/demo",
                          {{"metadata", {{"annotations", {{annotation, value}}}}}}, "application/merge-patch+json")
                    .ok());
  }
  void MakeFirstBackup() {
    Look();
    repository_.Finish(clock_.Now());
    Look();
    repository_.Finish(clock_.Now());
    repository_.begun.clear();
  }

  local::ApiServer api_;
  storagecluster::InProcessClient client_{api_};
  Shown clusters_;
  Shown repositories_;
  Shown servers_;
  Events events_;
  FakeRepository repository_;
  ManualClock clock_;
  std::unique_ptr<BackupReconciler> reconciler_;
};

TEST_F(BackupReconcilerTest, MakesTheRepositoryThenTheFirstBackupAndRests) {
  Look();
  ASSERT_EQ(repository_.begun.size(), 1u);
  EXPECT_EQ(repository_.begun.back().kind, Step::Kind::kCreateStanza);
  EXPECT_EQ(Healthy(), "False NoBackupYet");
  repository_.Finish(clock_.Now());
  Look();
  EXPECT_EQ(repository_.begun.back().kind, Step::Kind::kFull);
  repository_.Finish(clock_.Now());
  Look();
  EXPECT_EQ(Healthy(), "True BackedUp");
  EXPECT_EQ(Row().value("lastFull", ""), "2026-11-25T12:00:00Z");
  EXPECT_EQ(repository_.asked_server, "demo-db-0.demo-db-pods.default.svc");
  EXPECT_THAT(events_.reasons, ElementsAre("BackupCompleted"));
  const std::string version = kube::ResourceVersionOf(Cluster());
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(Look().requeue_after.has_value());
  EXPECT_EQ(kube::ResourceVersionOf(Cluster()), version) << "at rest nothing is written";
  EXPECT_EQ(repository_.begun.size(), 2u);
}

TEST_F(BackupReconcilerTest, AnOperatorThatBeginsAnewNeitherDoublesATickNorMissesOne) {
  MakeFirstBackup();
  StartOperator();
  Look();
  EXPECT_THAT(repository_.begun, IsEmpty());
  clock_.Advance(std::chrono::hours(13));  // past midnight
  Look();
  ASSERT_EQ(repository_.begun.size(), 1u);
  EXPECT_EQ(repository_.begun.back().kind, Step::Kind::kDifferential);
  // It dies before it hears what became of it.
  repository_.Finish(clock_.Now());
  StartOperator();
  Look();
  EXPECT_EQ(repository_.begun.size(), 1u);
  clock_.Advance(std::chrono::hours(72));  // nobody was there for three ticks
  Look();
  repository_.Finish(clock_.Now());
  for (int i = 0; i < 3; ++i) Look();
  EXPECT_EQ(repository_.begun.size(), 2u);
}

TEST_F(BackupReconcilerTest, AFailureIsToldOnceForEachAndTriedAgain) {
  MakeFirstBackup();
  Look();
  events_.reasons.clear();
  for (int failures = 1; failures <= 2; ++failures) {
    repository_.report.backup = Attempt{.type = "diff",
                                        .started = clock_.Now(),
                                        .ended = clock_.Now(),
                                        .message = "no space left",
                                        .failures = failures};
    Look();
    Look();
  }
  EXPECT_EQ(Healthy(), "False BackupFailed");
  EXPECT_THAT(Row().value("message", ""), HasSubstr("no space left"));
  EXPECT_EQ(Row().value("failures", 0), 2);
  EXPECT_THAT(events_.reasons, ElementsAre("BackupFailed", "BackupFailed"));
}

TEST_F(BackupReconcilerTest, ARepositoryThatIsSilentIsToldWhenThatLasts) {
  MakeFirstBackup();
  Look();
  repository_.answers = false;
  Look();
  Look();
  EXPECT_EQ(Healthy(), "True BackedUp");
  Look();
  EXPECT_EQ(Healthy(), "False RepositoryUnreachable");
  EXPECT_EQ(Row().value("lastFull", ""), "2026-11-25T12:00:00Z") << "what was known";
  repository_.answers = true;
  Look();
  EXPECT_EQ(Healthy(), "True BackedUp");
}

TEST_F(BackupReconcilerTest, WhilePausedNothingIsBegun) {
  Annotate("storage.holdfast.dev/paused", "true");
  Look();
  EXPECT_THAT(repository_.begun, IsEmpty());
  Annotate("storage.holdfast.dev/paused", nullptr);
  Look();
  EXPECT_EQ(repository_.begun.size(), 1u);
}

TEST_F(BackupReconcilerTest, WhileItSleepsWhatWasSaidStays) {
  MakeFirstBackup();
  Look();
  Annotate(api::kHibernateAnnotation, "true");
  repository_.answers = false;
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(Look().requeue_after.has_value());
  EXPECT_EQ(Healthy(), "True BackedUp");
}

TEST_F(BackupReconcilerTest, AScheduleThatIsNoneIsToldAndNothingBegun) {
  const Json backends = Json::parse(R"([{"name": "db", "postgres": {"instances": 1, "storage": {"size": "1Gi"},
      "backup": {"storage": {"size": "1Gi"}, "schedule": {"full": "0 0 31 2 *"}}}}])");
  EXPECT_TRUE(api_.Call("PATCH", std::string(kClusters) + "/demo", {{"spec", {{"backends", backends}}}},
                        "application/merge-patch+json")
                  .ok());
  Look();
  EXPECT_EQ(Healthy(), "False InvalidSchedule");
  EXPECT_THAT(Row().value("message", ""), HasSubstr("backup.schedule.full"));
  EXPECT_THAT(repository_.begun, IsEmpty());
}

TEST_F(BackupReconcilerTest, OfABackendWithoutBackupsNothingIsSaid) {
  MakeFirstBackup();
  Look();
  const Json backends = Json::parse(R"([{"name": "db", "postgres": {"instances": 1, "storage": {"size": "1Gi"}}}])");
  EXPECT_TRUE(api_.Call("PATCH", std::string(kClusters) + "/demo", {{"spec", {{"backends", backends}}}},
                        "application/merge-patch+json")
                  .ok());
  EXPECT_FALSE(Look().requeue_after.has_value());
  EXPECT_EQ(Healthy(), "");
  EXPECT_TRUE(Row().empty());
}

}  // namespace
}  // namespace holdfast::backup
