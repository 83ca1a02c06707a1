// A rotation between any two of whose writes the operator dies: whoever comes after it finishes, and what is used is
// known to the database all the while.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/controllers/storagecluster/secrets.h"
#include "operator/resources/names.h"
#include "tests/unit/operator/controllers/rotation_bench.h"

namespace holdfast::storagecluster {
namespace {

namespace kinds = kube::kinds;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using When = CrashingClient::When;

class RotationCrashTest : public RotationTest {};

// Whether whoever uses what the Secret says just now gets into the database, which is played by what the Jobs that have
// ended told it: a role has the password that the Secret held when its Job was made.
class PlayedDatabase {
 public:
  explicit PlayedDatabase(ClusterBench& bench) : bench_(bench) {
    const Json data = Data();
    for (const resources::ServerRole& role : resources::kServerRoles) {
      passwords_[role.users[0]] = data.at(role.passwords[0]);
    }
    passwords_["holdfast"] = data.at("application-password");
    passwords_["holdfast_b"] = data.at("application-password-b");
  }

  // What is wrong now; to be asked between any two writes.
  std::vector<std::string> Complaints() {
    std::vector<std::string> complaints;
    const Json secret = bench_.Get(kinds::kSecret, kSecret);
    const std::string step = secret.value("/metadata/annotations/storage.holdfast.dev~1rotation-step"_json_pointer, "");
    for (const std::string& name : Jobs(bench_)) {
      if (!name.starts_with("demo-db-login-") || carried_out_.contains(name + step)) continue;
      const Json job = bench_.Get(kinds::kJob, name);
      if (!job.value("status", Json::object()).contains("conditions")) continue;
      carried_out_.insert(name + step);
      const resources::Login other = LoginInUse(secret).other();
      Tell(other.user(), step, secret.at("data").at(other.password()));
      for (const resources::ServerRole& role : resources::kServerRoles) {
        Tell(other.user_of(role), step, secret.at("data").at(other.password_of(role)));
      }
    }
    const resources::Login login = LoginInUse(secret);
    Check(login.user(), secret.at("data").at(login.password()), &complaints);
    const Json read = Json::parse(*kube::Base64Decode(secret.at("data").at("patroni-logins.yml").get<std::string>()));
    for (const resources::ServerRole& role : resources::kServerRoles) {
      const Json& used = read.at("postgresql").at("authentication").at(role.name);
      Check(used.at("username"), kube::Base64Encode(used.at("password").get<std::string>()), &complaints);
      if (used.at("username") != login.user_of(role))
        complaints.push_back("the Job logs in as another than the servers");
    }
    return complaints;
  }
  // Those that may log in.
  std::set<std::string> Admitted() const {
    std::set<std::string> users;
    for (const auto& [user, password] : passwords_) users.insert(user);
    return users;
  }

 private:
  Json Data() { return bench_.Get(kinds::kSecret, kSecret).at("data"); }
  void Tell(const std::string& user, const std::string& step, const std::string& password) {
    if (step == "Admitting") passwords_[user] = password;
    if (step == "Retiring") passwords_.erase(user);
  }
  void Check(const std::string& user, const std::string& password, std::vector<std::string>* complaints) const {
    const auto known = passwords_.find(user);
    if (known == passwords_.end()) {
      complaints->push_back(user + " is used, and the database does not let it in");
    } else if (known->second != password) {
      complaints->push_back(user + ": the database has been told another password");
    }
  }

  ClusterBench& bench_;
  std::map<std::string, std::string> passwords_;
  std::set<std::string> carried_out_;
};

// The control of the sweep below: what it asks for is found when it is missing.
TEST_F(RotationCrashTest, APlayedDatabaseRefusesWhatItHasNotBeenTold) {
  PlayedDatabase database(bench_);
  EXPECT_THAT(database.Complaints(), IsEmpty());
  const Json secret = bench_.Get(kinds::kSecret, kSecret);
  const auto plant = [&](const Json& patch) {
    const Deadline soon = Deadline::After(std::chrono::seconds{10});
    ASSERT_TRUE(bench_.user().MergePatch(kinds::kSecret, {"prod", kSecret}, patch, soon).ok());
  };
  // The servers are told before the database is.
  plant({{"metadata", {{"annotations", {{kSuperuserAnnotation, "postgres_b"}}}}},
         {"data", WithServersLogins(secret, resources::Login{false, {}, true}, "1")}});
  EXPECT_THAT(database.Complaints(), Contains(HasSubstr("postgres_b is used")));
  plant({{"metadata", {{"annotations", {{kSuperuserAnnotation, nullptr}}}}}, {"data", secret.at("data")}});
  EXPECT_THAT(database.Complaints(), IsEmpty());
  // A password in use is made anew.
  plant({{"data", WithNewPasswords(secret, resources::Login{}, "1").value()}});
  EXPECT_THAT(database.Complaints(), Contains(HasSubstr("holdfast: the database has been told another password")));
}

// The operator is killed before and after each of its writes, in one rotation after the other. Whoever comes after it
// finishes, the passwords that the database was told are those that the service and the servers read, and they are so
// at every moment between.
TEST_F(RotationCrashTest, EveryStepIsResumedAfterACrash) {
  PlayedDatabase database(bench_);
  int last = 1;
  for (int nth = 1; nth <= last; ++nth) {
    for (const When when : {When::kBefore, When::kAfter}) {
      const std::string wish = std::to_string(nth) + (when == When::kBefore ? " before" : " after");
      SCOPED_TRACE("write " + wish);
      const bool second = Annotation(bench_, kLoginAnnotation) == "holdfast_b";
      const char* file = second ? "application-password" : "application-password-b";
      const int writes = bench_.client().writes();
      Wish(bench_, wish);
      int passwords = 0;
      std::string password = Data().at(file);
      const auto look = [&] {
        EXPECT_THAT(database.Complaints(), IsEmpty());
        const std::string now = Data().at(file);
        passwords += now != password ? 1 : 0;
        password = now;
      };
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
      EXPECT_EQ(Annotation(bench_, kLoginAnnotation), second ? "holdfast" : "holdfast_b");
      const std::set<std::string> first_ones = {"holdfast", "postgres", "replicator", "rewinder"};
      const std::set<std::string> second_ones = {"holdfast_b", "postgres_b", "replicator_b", "rewinder_b"};
      EXPECT_EQ(database.Admitted(), second ? first_ones : second_ones) << "and nobody else";
      EXPECT_EQ(Annotation(bench_, kRotatedAnnotation), wish);
      EXPECT_EQ(Annotation(bench_, kRotationStepAnnotation), "");
      EXPECT_EQ(passwords, 1) << "the database was told one and the service reads another";
      EXPECT_EQ(bench_.ConditionOf("demo", "Ready"), "True Available");
      EXPECT_EQ(Jobs(bench_).size(), 1U);
    }
  }
  bench_.client().on_write = nullptr;
  EXPECT_GE(last, 8);
}

}  // namespace
}  // namespace holdfast::storagecluster
