// New passwords: of whatever logs in two roles take turns, and at no moment is the one in use unknown to the database.
#include "operator/controllers/storagecluster/rotation.h"

#include <algorithm>
#include <set>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/certificates/scram_verifier.h"
#include "operator/controllers/storagecluster/secrets.h"
#include "operator/kube/base64.h"
#include "operator/resources/names.h"
#include "tests/unit/operator/controllers/rotation_bench.h"

namespace holdfast::storagecluster {
namespace {

namespace kinds = kube::kinds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string SettingsOfService(ClusterBench& bench) {
  return bench.Get(kinds::kConfigMap, "demo-config").at("data").at("holdfast.yaml").get<std::string>();
}

TEST_F(RotationTest, TheLoginsTakeTurns) {
  const std::vector<std::string> jobs = Jobs(bench_);
  const std::string servers = bench_.Get(kinds::kStatefulSet, "demo-db").at("spec").dump();
  const std::string pooler = bench_.Get(kinds::kDeployment, "demo-db-pooler").at("spec").dump();
  Wish(bench_, "2026-11");
  ASSERT_TRUE(bench_.Converge("demo"));
  EXPECT_EQ(Annotation(bench_, kLoginAnnotation), "holdfast_b");
  EXPECT_EQ(Annotation(bench_, kRotatedAnnotation), "2026-11");
  EXPECT_EQ(Annotation(bench_, kRotationStepAnnotation), "");
  EXPECT_THAT(SettingsOfService(bench_), HasSubstr("holdfast_b@"));
  EXPECT_THAT(SettingsOfService(bench_), HasSubstr("credentials/application-password-b"));
  Json changed = Data();
  EXPECT_NE(changed.at("application-password-b"), before_.at("application-password-b"));
  EXPECT_GE(kube::Base64Decode(changed.at("application-password-b").get<std::string>())->size(), 40U);
  EXPECT_EQ(*kube::Base64Decode(changed.at("rotation").get<std::string>()), resources::Hash("2026-11"));
  EXPECT_THAT(*kube::Base64Decode(changed.at("userlist.txt").get<std::string>()),
              HasSubstr(*kube::Base64Decode(changed.at("application-password-b").get<std::string>())));
  for (const char* new_one : {"application-password-b", "userlist.txt", "superuser-password-b",
                              "replication-password-b", "rewind-password-b", "patroni-logins.yml", "verifiers.sql"}) {
    EXPECT_NE(changed.at(new_one), before_.at(new_one)) << new_one;
    changed[new_one] = before_.at(new_one);
  }
  changed.erase("rotation");
  EXPECT_EQ(changed, before_) << "another password was touched";
  EXPECT_EQ(Jobs(bench_), jobs) << "a Job was left, or migrations ran again";
  EXPECT_EQ(bench_.Get(kinds::kStatefulSet, "demo-db").at("spec").dump(), servers) << "the servers are restarted";
  EXPECT_EQ(bench_.Get(kinds::kDeployment, "demo-db-pooler").at("spec").dump(), pooler) << "its clients are cut off";
  EXPECT_EQ(bench_.ConditionOf("demo", "Ready"), "True Available");
  EXPECT_EQ(bench_.ConditionOf("demo", "Progressing"), "False Settled");

  // The same wish is one wish.
  const int writes = bench_.client().writes();
  ASSERT_TRUE(bench_.Converge("demo"));
  EXPECT_EQ(bench_.client().writes(), writes);

  const Json between = Data();
  Wish(bench_, "2026-12");
  ASSERT_TRUE(bench_.Converge("demo"));
  EXPECT_EQ(Annotation(bench_, kLoginAnnotation), "holdfast");
  EXPECT_EQ(Annotation(bench_, kSuperuserAnnotation), "postgres");
  EXPECT_THAT(SettingsOfService(bench_), HasSubstr("//holdfast@"));
  EXPECT_NE(Data().at("application-password"), between.at("application-password"));
  EXPECT_EQ(Data().at("application-password-b"), between.at("application-password-b"));
  EXPECT_NE(Data().at("rewind-password"), between.at("rewind-password"));
  EXPECT_EQ(Data().at("rewind-password-b"), between.at("rewind-password-b"));

  std::vector<std::string> story;
  const Json secrets = Data();
  for (const RecordedEvent& event : bench_.events()) {
    if (event.reason.starts_with("Password")) story.push_back(event.reason);
    for (const auto& [file, value] : secrets.items()) {
      EXPECT_THAT(event.message, Not(HasSubstr(*kube::Base64Decode(value.get<std::string>()))));
    }
  }
  const std::vector<std::string> once = {"PasswordRotationStarted", "PasswordRotationSwitches",
                                         "PasswordRotationRetires", "PasswordsRotated"};
  std::vector<std::string> twice = once;
  twice.insert(twice.end(), once.begin(), once.end());
  EXPECT_EQ(story, twice);
  EXPECT_THAT(bench_.Cluster("demo").at("status").dump(),
              Not(HasSubstr(*kube::Base64Decode(Data().at("application-password").get<std::string>()))));
}

TEST_F(RotationTest, TheServersMoveWithTheService) {
  const auto expect = [&](const char* wish, int which) {
    const Json servers = Servers();
    for (const resources::ServerRole& role : resources::kServerRoles) {
      EXPECT_EQ(servers.at("authentication").at(role.name),
                Json({{"username", role.users[which]}, {"password", File(role.passwords[which])}}));
    }
    if (*wish == '\0') {
      EXPECT_FALSE(servers.contains("parameters"));
    } else {
      EXPECT_EQ(servers.at("parameters"), Json({{"holdfast.logins", resources::Hash(wish)}}));
    }
  };
  expect("", 0);
  Wish(bench_, "1");
  bench_.jobs_end_with = "";
  ASSERT_TRUE(bench_.Converge("demo"));
  ASSERT_EQ(Annotation(bench_, kRotationStepAnnotation), "Admitting");
  expect("", 0);
  bench_.jobs_end_with = "Complete";
  ASSERT_TRUE(bench_.Converge("demo"));
  expect("1", 1);
  EXPECT_EQ(Annotation(bench_, kSuperuserAnnotation), "postgres_b");
  Wish(bench_, "2");
  ASSERT_TRUE(bench_.Converge("demo"));
  expect("2", 0);
}

// The database is told what follows from the passwords, not the passwords.
TEST_F(RotationTest, TheSecretHoldsAVerifierForEachNewPassword) {
  EXPECT_EQ(File("verifiers.sql"), "");
  Wish(bench_, "1");
  ASSERT_TRUE(bench_.Converge("demo"));
  const std::string verifiers = File("verifiers.sql");
  EXPECT_EQ(std::count(verifiers.begin(), verifiers.end(), '\n'), 4);
  for (const char* variable : {"application", "superuser", "replication", "rewind"}) {
    const std::string start = std::string("\\set ").append(variable).append("_verifier 'SCRAM-SHA-256$4096:");
    const std::size_t at = verifiers.find(start);
    ASSERT_NE(at, std::string::npos) << variable;
    // The salt tells whether it is that of the password.
    const std::size_t salt = at + start.size();
    const std::string text = verifiers.substr(salt, verifiers.find('$', salt) - salt);
    const std::string whole = verifiers.substr(salt, verifiers.find('\'', salt) - salt);
    const std::string password = File(std::string(variable).append("-password-b").c_str());
    EXPECT_EQ(*certificates::ScramVerifier(password, *kube::Base64Decode(text)), "SCRAM-SHA-256$4096:" + whole);
    EXPECT_THAT(verifiers, Not(HasSubstr(password)));
  }
}

// Begun by an operator that knew the application's login only: its new passwords are made once more, with the servers'.
TEST_F(RotationTest, OneOfAFormerOperatorIsBegunAnew) {
  const auto patched = bench_.user().MergePatch(
      kinds::kSecret, {"prod", kSecret},
      {{"metadata", {{"annotations", {{kRotationAnnotation, "1"}, {kRotationStepAnnotation, "Admitting"}}}}},
       {"data",
        {{"superuser-password-b", nullptr},
         {"replication-password-b", nullptr},
         {"rewind-password-b", nullptr},
         {"patroni-logins.yml", nullptr},
         {"verifiers.sql", nullptr}}}},
      Deadline::After(std::chrono::seconds{10}));
  ASSERT_TRUE(patched.ok());
  Wish(bench_, "1");
  ASSERT_TRUE(bench_.Converge("demo"));
  EXPECT_EQ(Annotation(bench_, kRotatedAnnotation), "1");
  EXPECT_EQ(Annotation(bench_, kSuperuserAnnotation), "postgres_b");
  EXPECT_THAT(File("verifiers.sql"), HasSubstr("rewind_verifier"));
  EXPECT_EQ(Servers().at("authentication").at("rewind").at("password"), File("rewind-password-b"));
  EXPECT_EQ(Data().at("superuser-password"), before_.at("superuser-password"));
}

TEST_F(RotationTest, NothingMovesBeforeTheDatabaseKnows) {
  bench_.jobs_end_with = "";
  Wish(bench_, "1");
  ASSERT_TRUE(bench_.Converge("demo"));
  EXPECT_EQ(Annotation(bench_, kRotationStepAnnotation), "Admitting");
  EXPECT_EQ(Annotation(bench_, kLoginAnnotation), "");
  EXPECT_THAT(SettingsOfService(bench_), HasSubstr("//holdfast@"));
  EXPECT_EQ(bench_.ConditionOf("demo", "Progressing"), "True RotatingPasswords");
  EXPECT_EQ(bench_.ConditionOf("demo", "Ready"), "True Available");
  EXPECT_EQ(Jobs(bench_).size(), 2U);
  bench_.jobs_end_with = "Failed";
  ASSERT_TRUE(bench_.Converge("demo"));
  EXPECT_EQ(bench_.ConditionOf("demo", "Degraded"), "True PasswordRotationFailed");
  EXPECT_EQ(Annotation(bench_, kLoginAnnotation), "");
  // As the message says.
  const std::string message = bench_.MessageOf("demo", "Degraded");
  const std::size_t at = message.find("prod/") + 5;
  const kube::ObjectKey job{"prod", message.substr(at, message.find(' ', at) - at)};
  ASSERT_TRUE(bench_.user().Delete(kinds::kJob, job, {}, Deadline::After(std::chrono::seconds{10})).ok()) << message;
  bench_.jobs_end_with = "Complete";
  ASSERT_TRUE(bench_.Converge("demo"));
  EXPECT_EQ(Annotation(bench_, kRotatedAnnotation), "1");
  EXPECT_EQ(bench_.ConditionOf("demo", "Degraded"), "False AsExpected");
}

TEST_F(RotationTest, EveryPoolerThatTakesConnectionsIsAskedAlsoOneThatComesLater) {
  const auto add = [&](const std::string& name, const std::string& address) {
    const Json labels = {{resources::kClusterLabel, "demo"},
                         {resources::kManagedByLabel, resources::kFieldManager},
                         {resources::kBackendLabel, "db"},
                         {resources::kRoleLabel, resources::kPoolerRole}};
    auto pod = bench_.user().Create(kinds::kPod,
                                    {{"apiVersion", "v1"},
                                     {"kind", "Pod"},
                                     {"metadata", {{"name", name}, {"namespace", "prod"}, {"labels", labels}}},
                                     {"spec", Json::parse(R"({"containers": [{"name": "pooler", "image": "x"}]})")}},
                                    Deadline::After(std::chrono::seconds{10}));
    ASSERT_TRUE(pod.ok()) << pod.error().ToString();
    (*pod)["status"] = {{"podIP", address}, {"conditions", Json::parse(R"([{"type": "Ready", "status": "True"}])")}};
    ASSERT_TRUE(bench_.user().UpdateStatus(kinds::kPod, *pod, Deadline::After(std::chrono::seconds{10})).ok());
  };
  const auto asked = [&] {
    std::vector<std::string> places;
    for (const std::string& name : Jobs(bench_)) {
      if (!name.starts_with("demo-db-login-")) continue;
      const Json job = bench_.Get(kinds::kJob, name);
      for (const Json& word : job.at("spec").at("template").at("spec").at("containers").at(0).at("command")) {
        if (word.get<std::string>().ends_with(":6432")) places.push_back(word);
      }
    }
    return places;
  };
  ASSERT_NO_FATAL_FAILURE(add("demo-db-pooler-x", "10.0.0.7"));
  bench_.jobs_end_with = "";
  Wish(bench_, "1");
  ASSERT_TRUE(bench_.Converge("demo"));
  EXPECT_THAT(asked(), ElementsAre("holdfast_b@10.0.0.7:6432"));
  ASSERT_NO_FATAL_FAILURE(add("demo-db-pooler-y", "10.0.0.6"));
  ASSERT_TRUE(bench_.Converge("demo"));
  EXPECT_THAT(asked(), ElementsAre("holdfast_b@10.0.0.6:6432", "holdfast_b@10.0.0.7:6432"))
      << "and the former Job is gone";
  bench_.jobs_end_with = "Complete";
  ASSERT_TRUE(bench_.Converge("demo"));
  EXPECT_EQ(Annotation(bench_, kRotatedAnnotation), "1");
}

// Also one that is in trouble: what it would log in with later is as good as what the others do.
TEST_F(RotationTest, EveryServerLetsTheNewSuperuserInAndGoesByItBeforeTheFormerOneEnds) {
  Json pod = bench_.Get(kinds::kPod, "demo-db-0");
  pod["status"] = {{"podIP", "10.0.1.1"}, {"conditions", Json::parse(R"([{"type": "Ready", "status": "False"}])")}};
  const auto job = [&] {
    for (const std::string& name : Jobs(bench_)) {
      if (name.starts_with("demo-db-login-")) return bench_.Get(kinds::kJob, name).dump();
    }
    return std::string();
  };
  ASSERT_TRUE(bench_.user().UpdateStatus(kinds::kPod, pod, Deadline::After(std::chrono::seconds{10})).ok());
  bench_.jobs_end_with = "";
  Wish(bench_, "1");
  ASSERT_TRUE(bench_.Converge("demo"));
  EXPECT_THAT(job(), HasSubstr("\"postgres_b@10.0.1.1:5432\""));
  EXPECT_THAT(job(), HasSubstr(R"({"name":"PGUSER","value":"postgres"})"));
  EXPECT_THAT(job(), HasSubstr(R"({"name":"MEMBERS","value":""})"));
  std::string retires;
  bench_.client().on_write = [&](const std::string&, const std::string&) {
    const std::string one = Annotation(bench_, kRotationStepAnnotation) == "Retiring" ? job() : std::string();
    if (one.find("\"value\":\"postgres_b\"") != std::string::npos) retires = one;  // not the one that has admitted it
  };
  bench_.jobs_end_with = "Complete";
  ASSERT_TRUE(bench_.Converge("demo"));
  bench_.client().on_write = nullptr;
  EXPECT_EQ(Annotation(bench_, kRotatedAnnotation), "1");
  EXPECT_THAT(retires, HasSubstr(R"({"name":"PGUSER","value":"postgres_b"})"));
  EXPECT_THAT(retires, HasSubstr(R"({"name":"MEMBERS","value":"10.0.1.1:5432"})"));
}

// A leader that does not know yet that it is none any more.
TEST_F(RotationTest, AnotherOperatorActsBeforeEachWrite) {
  bool inside = false;
  std::set<std::string> passwords;
  const auto look = [&] { passwords.insert(Data().at("application-password-b")); };
  bench_.client().on_write = [&](const std::string&, const std::string&) {
    if (std::exchange(inside, true)) return;
    look();
    static_cast<void>(bench_.ReconcileAsAnother("demo", bench_.user()));
    look();
    inside = false;
  };
  Wish(bench_, "1");
  ASSERT_TRUE(bench_.Converge("demo"));
  look();
  EXPECT_EQ(passwords.size(), 2U) << "the database was told one and the service reads another";
  EXPECT_EQ(Annotation(bench_, kLoginAnnotation), "holdfast_b");
  EXPECT_EQ(Annotation(bench_, kRotatedAnnotation), "1");
  EXPECT_EQ(bench_.ConditionOf("demo", "Ready"), "True Available");
  EXPECT_EQ(Jobs(bench_).size(), 1U);
}

// Of a single step, which the bench's controllers are too quick for.
TEST_F(RotationTest, TheFormerLoginStaysUntilThePoolersAndTheServiceHaveMoved) {
  bool ending = false;  // a former pod of the service
  const auto plan = [&](const char* step, const char* stale) {
    const auto parsed = api::ParseStorageCluster(bench_.Cluster("demo"));
    Observed observed;
    for (const kube::ResourceKind& kind : {kinds::kSecret, kinds::kDeployment, kinds::kStatefulSet, kinds::kJob}) {
      const auto list = bench_.user().List(kind, "prod", {}, Deadline::After(std::chrono::seconds{9}));
      for (const Json& each : list->items) {
        observed.children.push_back({kind, each});
      }
    }
    for (Child& child : observed.children) {
      const std::string name = kube::KeyOf(child.object).name;
      if (name == kSecret) {
        Json annotations = {{kRotationAnnotation, "1"}, {kRotationStepAnnotation, step}};
        if (*step == '\0') annotations = Json::object();
        child.object["metadata"]["annotations"] = std::move(annotations);
        child.object["data"]["verifiers.sql"] = kube::Base64Encode("there");
      }
      if (name == stale) child.object["status"]["updatedReplicas"] = 0;
    }
    if (ending) {
      observed.pods.push_back({{"metadata",
                                {{"name", "demo-x"},
                                 {"deletionTimestamp", "2026-11-21T12:00:00Z"},
                                 {"labels", {{resources::kRoleLabel, resources::kServiceRole}}}}}});
    }
    resources::BuildOptions options{"holdfast:test"};
    options.logins = LoginsOf(*parsed.cluster, observed);
    const auto desired = resources::BuildObjects(*parsed.cluster, options);
    for (const resources::DesiredObject& each : desired) {
      if (each.kind != kinds::kJob) continue;
      Json job = each.object;
      job["status"]["conditions"] = Json::parse(R"([{"type": "Complete", "status": "True"}])");
      observed.Put(kinds::kJob, job);
    }
    auto made =
        PlanRotation(*parsed.cluster, "1", desired, JudgeMigrations(*parsed.cluster, desired, observed), observed);
    EXPECT_TRUE(made.ok());
    return std::move(made).value();
  };
  for (const char* step : {"", "Admitting", "Switching"}) {
    EXPECT_THAT(plan(step, "demo-db").actions, IsEmpty()) << "a server is being replaced";
    EXPECT_THAT(plan(step, "demo-db").under_way->message, HasSubstr("every server runs"));
  }
  EXPECT_EQ(plan("", "").actions.size(), 1U);
  EXPECT_THAT(plan("Admitting", "demo-db-pooler").actions, IsEmpty());
  EXPECT_EQ(plan("Admitting", "").actions.size(), 1U);
  EXPECT_THAT(plan("Switching", "demo").actions, IsEmpty());
  ending = true;
  EXPECT_THAT(plan("Switching", "").actions, IsEmpty());
  ending = false;
  EXPECT_EQ(plan("Switching", "").actions.size(), 1U);
  EXPECT_EQ(plan("Retiring", "").actions.size(), 1U);
  for (const char* step : {"Admitting", "Switching", "Retiring"}) {
    const Action action = plan(step, "").actions.at(0);
    // That which members use, and in the same write as the annotation that names it.
    const bool switches = std::string_view(step) == "Admitting";
    Json data = action.body.value("data", Json::object());
    EXPECT_EQ(data.erase("patroni-logins.yml"), switches ? 1U : 0U);
    EXPECT_TRUE(data.empty()) << "a password that is in use was changed";
    EXPECT_TRUE(action.body.at("metadata").contains("resourceVersion"));
  }
}

}  // namespace
}  // namespace holdfast::storagecluster
