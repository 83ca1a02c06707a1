// New passwords for a Redis backend: what the credentials hold at each step, whom they let in, and who is waited for;
// and the operator killed at every one of its writes in between.
#include "operator/controllers/storagecluster/redis_rotation.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/controllers/storagecluster/redis_credentials.h"
#include "operator/resources/names.h"
#include "operator/resources/redis.h"
#include "tests/unit/operator/controllers/rotation_bench.h"

namespace holdfast::storagecluster {
namespace {

namespace kinds = kube::kinds;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using When = CrashingClient::When;

constexpr char kCredentials[] = "demo-cache-credentials";

class RedisRotationTest : public ::testing::Test {
 protected:
  void Begin(const Json& spec) {
    bench_.CreateCluster("demo", spec);
    ASSERT_TRUE(bench_.Converge("demo"));
    ASSERT_EQ(bench_.ConditionOf("demo", "Ready"), "True Available");
  }
  Json Secret() { return bench_.Get(kinds::kSecret, kCredentials); }
  std::string File(const std::string& name) { return CredentialFile(Secret(), name.c_str()); }
  std::string At(const char* annotation) { return Annotation(bench_, annotation, kCredentials); }
  std::string TemplateOf(const kube::ResourceKind& kind, const std::string& name) {
    return bench_.Get(kind, name).at("/spec/template"_json_pointer).dump();
  }
  // The operator and everybody else, until the step is `step`; its Job has not ended then.
  void GoOnTo(const std::string& step) {
    for (int round = 0; round < 40 && At(kRotationStepAnnotation) != step; ++round) {
      bench_.jobs_end_with = "Complete";
      bench_.PlayDatabases();
      bench_.PlayStatefulSets();
      bench_.jobs_end_with = "";
      ASSERT_TRUE(bench_.Reconcile("demo").ok());
    }
    ASSERT_EQ(At(kRotationStepAnnotation), step);
  }

  ClusterBench bench_;
};

// The passwords' hashes by which the file lets the user in, the one in use first.
std::vector<std::string> LetIn(const std::string& users, const std::string& user) {
  std::istringstream lines(users);
  std::vector<std::string> hashes;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("user " + user + " ")) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      if (word.starts_with("#")) hashes.push_back(word.substr(1));
    }
  }
  return hashes;
}

TEST_F(RedisRotationTest, AServerByItselfLetsBothInUntilTheServiceUsesTheNewOne) {
  ASSERT_NO_FATAL_FAILURE(Begin(RedisSpec()));
  const std::string before = File("application-password");
  const std::string server = TemplateOf(kinds::kStatefulSet, "demo-cache");
  const std::string service = TemplateOf(kinds::kDeployment, "demo");
  bench_.jobs_end_with = "";
  Wish(bench_, "1");
  ASSERT_NO_FATAL_FAILURE(GoOnTo("Admitting"));
  const std::string after = File("application-password-b");
  EXPECT_EQ(File("application-password"), before);
  EXPECT_NE(after, before);
  const auto hashes = [](const std::string& one, const std::string& other) {
    return std::vector{resources::Sha256Of(one), resources::Sha256Of(other)};
  };
  EXPECT_EQ(LetIn(File("users.acl"), "holdfast"), hashes(before, after));
  EXPECT_EQ(TemplateOf(kinds::kDeployment, "demo"), service) << "nobody has been told of it yet";
  EXPECT_EQ(bench_.ConditionOf("demo", "Progressing"), "True RotatingPasswords");
  // Nothing goes on while the server does not show that it follows.
  for (int round = 0; round < 5; ++round) ASSERT_TRUE(bench_.Reconcile("demo").ok());
  ASSERT_EQ(At(kRotationStepAnnotation), "Admitting");

  ASSERT_NO_FATAL_FAILURE(GoOnTo("Switching"));
  EXPECT_EQ(File("application-password"), after);
  EXPECT_EQ(LetIn(File("users.acl"), "holdfast"), hashes(after, before));
  ASSERT_TRUE(bench_.Reconcile("demo").ok());
  EXPECT_NE(TemplateOf(kinds::kDeployment, "demo"), service) << "its pods are made anew";

  ASSERT_NO_FATAL_FAILURE(GoOnTo("Retiring"));
  EXPECT_EQ(LetIn(File("users.acl"), "holdfast"), std::vector{resources::Sha256Of(after)});
  EXPECT_FALSE(Secret().at("data").contains("application-password-b"));
  bench_.jobs_end_with = "Complete";
  ASSERT_TRUE(bench_.Converge("demo"));
  EXPECT_EQ(At(kRotatedAnnotation), "1");
  EXPECT_EQ(At(kRotationStepAnnotation), "");
  EXPECT_THAT(Jobs(bench_), IsEmpty());
  EXPECT_EQ(TemplateOf(kinds::kStatefulSet, "demo-cache"), server) << "the server was never restarted";
  EXPECT_EQ(File("application-password"), after);
}

TEST_F(RedisRotationTest, AJobNamesEveryServerAndSentinelAndHasNoPassword) {
  ASSERT_NO_FATAL_FAILURE(Begin(SentinelSpec("1Gi", 3)));
  bench_.jobs_end_with = "";
  Wish(bench_, "1");
  ASSERT_NO_FATAL_FAILURE(GoOnTo("Admitting"));
  for (const char* pod : {"demo-cache-0", "demo-cache-1", "demo-cache-2", "demo-cache-sentinel-0"}) {
    Json changed = bench_.Get(kinds::kPod, pod);
    changed["status"]["podIP"] = std::string("10.0.0.") + pod[std::string(pod).size() - 1] +
                                 (std::string(pod).find("sentinel") == std::string::npos ? "" : "9");
    ASSERT_TRUE(bench_.user().UpdateStatus(kinds::kPod, changed, Deadline::After(std::chrono::seconds{10})).ok());
  }
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(bench_.Reconcile("demo").ok());
  ASSERT_EQ(Jobs(bench_).size(), 1U);
  const Json job = bench_.Get(kinds::kJob, Jobs(bench_).front());
  const std::string servers = "=" + resources::FollowedMark(File("users.acl"));
  const std::string sentinels = "=" + resources::FollowedMark(File("sentinel-users.acl"));
  EXPECT_NE(servers, sentinels);
  const Json expected = {"sh",
                         "/etc/redis/followed.sh",
                         "10.0.0.0:6379" + servers,
                         "10.0.0.1:6379" + servers,
                         "10.0.0.2:6379" + servers,
                         "10.0.0.09:26379" + sentinels};
  EXPECT_EQ(job.at("/spec/template/spec/containers/0/command"_json_pointer), expected);
  for (const char* file : {"application-password", "keeper-password", "keeper-password-b"}) {
    EXPECT_THAT(job.dump(), Not(HasSubstr(File(file))));
  }
}

TEST_F(RedisRotationTest, AFailedJobIsToldAndRunsAgain) {
  ASSERT_NO_FATAL_FAILURE(Begin(RedisSpec()));
  bench_.jobs_end_with = "Failed";
  Wish(bench_, "1");
  ASSERT_TRUE(bench_.Converge("demo"));
  EXPECT_THAT(bench_.MessageOf("demo", "Degraded"), HasSubstr("delete the Job to have it run again"));
  ASSERT_EQ(Jobs(bench_).size(), 1U);
  const Deadline soon = Deadline::After(std::chrono::seconds{10});
  ASSERT_TRUE(bench_.user().Delete(kinds::kJob, {"prod", Jobs(bench_).front()}, {}, soon).ok());
  bench_.jobs_end_with = "Complete";
  ASSERT_TRUE(bench_.Converge("demo"));
  EXPECT_EQ(At(kRotatedAnnotation), "1");
}

// The servers, the sentinels and the service: they go by what the Secret was when their Job ended last, or at any
// moment by what it is now, as the kubelet likes; whoever is asked must know whoever asks.
class PlayedRedis {
 public:
  explicit PlayedRedis(ClusterBench& bench) : bench_(bench) { Follow(); }

  // What is wrong now; to be asked between any two writes.
  std::vector<std::string> Complaints() {
    const Json secret = bench_.Get(kinds::kSecret, kCredentials);
    for (const std::string& name : Jobs(bench_)) {
      const Json job = bench_.Get(kinds::kJob, name);
      if (kube::HasCondition(job, "Complete") && ended_.insert(kube::UidOf(job)).second) Follow();
    }
    std::vector<std::string> complaints;
    const std::vector<const Json*> both = {&followed_, &secret};
    for (const auto& [file, user, password] : kLogins) {
      if (!secret.at("data").contains(file) || !secret.at("data").contains(password)) continue;
      for (const Json* of : both) {
        const std::vector<std::string> hashes = LetIn(CredentialFile(*of, file), user);
        for (const Json* by : both) {
          const std::string hash = resources::Sha256Of(CredentialFile(*by, password));
          if (std::find(hashes.begin(), hashes.end(), hash) != hashes.end()) continue;
          complaints.push_back(std::string(user) + " is not let in by the " + (of == &secret ? "new" : "former") + " " +
                               file + " with the " + (by == &secret ? "new" : "former") + " password");
        }
      }
    }
    return complaints;
  }

 private:
  struct Login {
    const char* file;
    const char* user;
    const char* password;
  };
  static constexpr Login kLogins[] = {{"users.acl", "holdfast", "application-password"},
                                      {"users.acl", "replicator", "replication-password"},
                                      {"users.acl", "sentinel", "sentinel-password"},
                                      {"users.acl", "keeper", "keeper-password"},
                                      {"sentinel-users.acl", "holdfast", "application-password"},
                                      {"sentinel-users.acl", "sentinel", "sentinel-password"},
                                      {"sentinel-users.acl", "keeper", "keeper-password"}};
  void Follow() { followed_ = bench_.Get(kinds::kSecret, kCredentials); }

  ClusterBench& bench_;
  Json followed_;
  std::set<std::string> ended_;  // Jobs, by uid
};

class RedisRotationCrashTest : public RedisRotationTest {
 protected:
  void Change(const Json& data) {
    const Deadline soon = Deadline::After(std::chrono::seconds{10});
    ASSERT_TRUE(bench_.user().MergePatch(kinds::kSecret, {"prod", kCredentials}, {{"data", data}}, soon).ok());
  }
  api::BackendSpec Backend() { return api::ParseStorageCluster(bench_.Cluster("demo")).cluster->spec.backends.front(); }
};

// The control of the sweep below: what it asks for is found when it is missing.
TEST_F(RedisRotationCrashTest, APlayedRedisRefusesWhatItHasNotFollowed) {
  ASSERT_NO_FATAL_FAILURE(Begin(SentinelSpec()));
  PlayedRedis redis(bench_);
  EXPECT_THAT(redis.Complaints(), IsEmpty());
  const Json first = Secret();
  // In use before everybody lets it in.
  Json secret = first;
  secret["data"].update(WithOtherPasswords(Backend(), first).value());
  Change(WithPasswordsSwitched(Backend(), secret));
  EXPECT_THAT(redis.Complaints(), Contains(HasSubstr("holdfast is not let in by the former users.acl with the new")));
  // Retired while somebody uses it.
  Change(first.at("data"));
  PlayedRedis another(bench_);
  secret["data"].update(WithPasswordsSwitched(Backend(), secret));
  secret["data"].update(WithoutOtherPasswords(Backend(), secret));
  Change(secret.at("data"));
  EXPECT_THAT(another.Complaints(), Contains(HasSubstr("keeper is not let in by the new users.acl with the former")));
}

// Of a backend with sentinels there are more users, and the same steps.
TEST_F(RedisRotationCrashTest, NobodyIsRefusedAtAnyMoment) {
  ASSERT_NO_FATAL_FAILURE(Begin(SentinelSpec()));
  PlayedRedis redis(bench_);
  int writes = 0;
  bench_.client().on_write = [&](const std::string&, const std::string&) {
    ++writes;
    EXPECT_THAT(redis.Complaints(), IsEmpty());
  };
  Wish(bench_, "1");
  EXPECT_TRUE(bench_.Converge("demo"));
  bench_.client().on_write = nullptr;
  EXPECT_THAT(redis.Complaints(), IsEmpty());
  EXPECT_EQ(At(kRotatedAnnotation), "1");
  EXPECT_GE(writes, 8);
}

TEST_F(RedisRotationCrashTest, EveryStepIsResumedAfterACrash) {
  ASSERT_NO_FATAL_FAILURE(Begin(RedisSpec()));
  PlayedRedis redis(bench_);
  int last = 1;
  for (int nth = 1; nth <= last; ++nth) {
    for (const When when : {When::kBefore, When::kAfter}) {
      const std::string wish = std::to_string(nth) + (when == When::kBefore ? " before" : " after");
      SCOPED_TRACE("write " + wish);
      const std::string former = File("keeper-password");
      const int writes = bench_.client().writes();
      int changes = 0;
      std::string password = former;
      const auto look = [&] {
        EXPECT_THAT(redis.Complaints(), IsEmpty());
        const std::string now = File("keeper-password");
        changes += now != password ? 1 : 0;
        password = now;
      };
      Wish(bench_, wish);
      bench_.client().on_write = [&](const std::string&, const std::string&) { look(); };
      bench_.client().CrashAt(nth, when);
      bool converged = false;
      try {
        converged = bench_.Converge("demo");
      } catch (const Crash&) {
        bench_.RestartOperator();
        converged = bench_.Converge("demo");
      }
      look();
      EXPECT_TRUE(converged);
      if (nth == 1) last = std::max(last, bench_.client().writes() - writes);
      EXPECT_EQ(At(kRotatedAnnotation), wish);
      EXPECT_EQ(At(kRotationStepAnnotation), "");
      EXPECT_EQ(changes, 1) << "one new password for one wish";
      EXPECT_EQ(LetIn(File("users.acl"), "keeper"), std::vector{resources::Sha256Of(password)}) << "and nobody else";
      EXPECT_FALSE(Secret().at("data").contains("keeper-password-b"));
      EXPECT_EQ(bench_.ConditionOf("demo", "Ready"), "True Available");
      EXPECT_THAT(Jobs(bench_), IsEmpty());
    }
  }
  bench_.client().on_write = nullptr;
  EXPECT_GE(last, 8);
}

}  // namespace
}  // namespace holdfast::storagecluster
