// Credentials are made once and never guessed again; certificates are renewed in time.
#include "operator/controllers/storagecluster/secrets.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/certificates/certificate.h"
#include "operator/controllers/storagecluster/rotation.h"
#include "operator/kube/base64.h"
#include "operator/resources/names.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::storagecluster {
namespace {

using std::chrono::hours;
using ::testing::HasSubstr;
namespace kinds = kube::kinds;

constexpr Timestamp kNow{std::chrono::seconds{1'800'000'000}};

class SecretsTest : public ::testing::Test {
 protected:
  SecretsTest() {
    const Json object = {{"apiVersion", api::kApiVersion},
                         {"kind", api::kStorageClusterKind},
                         {"metadata", {{"name", "demo"}, {"namespace", "prod"}, {"uid", "u-1"}}},
                         {"spec", PostgresSpec()}};
    cluster_ = *api::ParseStorageCluster(object).cluster;
  }

  SecretPlan Plan(Timestamp now = kNow) {
    auto plan = PlanSecrets(cluster_, observed_, now);
    EXPECT_TRUE(plan.ok());
    return std::move(plan).value();
  }

  // As the server would.
  void CarryOut(const SecretPlan& plan) {
    for (const Action& action : plan.actions) {
      Json object = action.body;
      if (action.verb == Verb::kMergePatch) {
        object = *observed_.Find(kinds::kSecret, action.key.name);
        object.merge_patch(action.body);
      } else {
        object["metadata"]["uid"] = "s-" + action.key.name;
      }
      object["metadata"]["resourceVersion"] = std::to_string(++version_);
      observed_.Put(kinds::kSecret, object);
    }
  }

  Json& Secret(const std::string& name) {
    for (Child& child : observed_.children) {
      if (kube::KeyOf(child.object).name == name) return child.object;
    }
    ADD_FAILURE() << "no Secret " << name;
    static Json none;
    return none;
  }

  api::StorageCluster cluster_;
  Observed observed_;
  int version_ = 0;
};

TEST_F(SecretsTest, AreMadeOnceAndThenLeftAlone) {
  const SecretPlan first = Plan();
  ASSERT_EQ(first.actions.size(), 3u);
  for (const Action& action : first.actions) {
    EXPECT_EQ(action.verb, Verb::kCreate);
    EXPECT_THAT(action.because, HasSubstr("is not there"));
    for (const auto& [file, value] : action.body.at("data").items()) {
      const std::string text = value.get<std::string>();
      EXPECT_TRUE(text.empty() || action.because.find(text) == std::string::npos) << file;
    }
  }
  CarryOut(first);
  EXPECT_TRUE(Plan().Idle());
  EXPECT_FALSE(Secret("demo-db-credentials").at("metadata").contains("ownerReferences"));
  EXPECT_TRUE(Secret("demo-db-tls").at("metadata").contains("ownerReferences"));
  EXPECT_EQ(Secret("demo-db-credentials").at("data").size(), 11u);
  EXPECT_EQ(Secret("demo-db-tls").at("type"), "kubernetes.io/tls");
}

TEST_F(SecretsTest, ThePoolersUsersAreTheApplicationsTwoLogins) {
  CarryOut(Plan());
  const auto file = [&](const char* name) {
    return *kube::Base64Decode(Secret("demo-db-credentials").at("data").at(name).get<std::string>());
  };
  const std::string both = "\"holdfast\" \"" + file("application-password") + "\"\n\"holdfast_b\" \"" +
                           file("application-password-b") + "\"\n";
  EXPECT_EQ(file("userlist.txt"), both);
  // As an operator has left them that knew one login.
  const std::string in_use = file("application-password");
  Secret("demo-db-credentials")["data"].erase("application-password-b");
  Secret("demo-db-credentials")["data"].erase("userlist.txt");
  const SecretPlan plan = Plan();
  ASSERT_EQ(plan.actions.size(), 1u);
  EXPECT_EQ(plan.actions[0].event_reason, "CredentialsCompleted");
  CarryOut(plan);
  EXPECT_EQ(file("application-password"), in_use);
  EXPECT_THAT(file("userlist.txt"), HasSubstr(file("application-password-b")));
  EXPECT_TRUE(Plan().Idle());
}

TEST_F(SecretsTest, PatroniGetsTheLoginsInUseAndAnOtherThatIsMissingIsMade) {
  CarryOut(Plan());
  const auto file = [&](const char* name) {
    return *kube::Base64Decode(Secret("demo-db-credentials").at("data").at(name).get<std::string>());
  };
  const auto logins = [&] { return Json::parse(file("patroni-logins.yml")).at("postgresql").at("authentication"); };
  EXPECT_EQ(logins().at("replication"), Json({{"username", "replicator"}, {"password", file("replication-password")}}));
  Json& secret = Secret("demo-db-credentials");
  secret["metadata"]["annotations"][kSuperuserAnnotation] = "postgres_b";
  secret["data"].erase("replication-password");
  CarryOut(Plan());
  EXPECT_EQ(logins().at("replication"),
            Json({{"username", "replicator_b"}, {"password", file("replication-password-b")}}));
  EXPECT_EQ(file("replication-password").size(), 43u);
  EXPECT_TRUE(Plan().Idle());
  Secret("demo-db-credentials")["data"].erase("replication-password-b");
  EXPECT_THAT(Plan().blocked->message, HasSubstr("has no replication-password-b")) << "it is in use";
}

TEST_F(SecretsTest, ADatabaseWithoutItsCredentialsBlocks) {
  CarryOut(Plan());
  const Json lost = Secret("demo-db-credentials");
  std::erase_if(observed_.children,
                [](const Child& child) { return kube::KeyOf(child.object).name == "demo-db-credentials"; });
  EXPECT_EQ(Plan().actions.size(), 1u) << "no volume yet, so no database knows the old ones";
  observed_.claims.push_back(Json::parse(R"({"metadata": {"name": "pgdata-demo-db-0", "namespace": "prod"}})"));
  const SecretPlan plan = Plan();
  ASSERT_TRUE(plan.blocked);
  EXPECT_EQ(plan.blocked->reason, "CredentialsMissing");
  EXPECT_THAT(plan.blocked->message, HasSubstr("pgdata-demo-db-0"));
  EXPECT_TRUE(plan.actions.empty());
  observed_.Put(kinds::kSecret, lost);
  EXPECT_TRUE(Plan().Idle());
}

TEST_F(SecretsTest, OnePasswordLessBlocksAsWell) {
  CarryOut(Plan());
  Secret("demo-db-credentials")["data"].erase("rewind-password");
  const SecretPlan plan = Plan();
  ASSERT_TRUE(plan.blocked);
  EXPECT_THAT(plan.blocked->message, HasSubstr("has no rewind-password"));
}

TEST_F(SecretsTest, AStrangersSecretIsLeftAlone) {
  observed_.Put(kinds::kSecret,
                Json::parse(R"({"metadata": {"name": "demo-db-credentials", "namespace": "prod", "uid": "x"}})"));
  const SecretPlan plan = Plan();
  ASSERT_TRUE(plan.blocked);
  EXPECT_EQ(plan.blocked->reason, "ObjectConflict");
  EXPECT_TRUE(plan.actions.empty());
}

TEST_F(SecretsTest, CredentialsOfAFormerClusterAreTakenOver) {
  CarryOut(Plan());
  cluster_.uid = "u-2";
  for (const char* gone : {"demo-ca", "demo-db-tls"}) {
    std::erase_if(observed_.children, [&](const Child& child) { return kube::KeyOf(child.object).name == gone; });
  }
  const Json before = Secret("demo-db-credentials").at("data");
  CarryOut(Plan());
  EXPECT_EQ(kube::LabelOf(Secret("demo-db-credentials"), resources::kOwnerUidLabel), "u-2");
  EXPECT_EQ(Secret("demo-db-credentials").at("data"), before);
  EXPECT_TRUE(Plan().Idle());
}

TEST_F(SecretsTest, CertificatesAreRenewedAndTheChecksumFollows) {
  CarryOut(Plan());
  const auto checksums = SecretChecksums(cluster_, observed_);
  EXPECT_EQ(checksums.size(), 2u) << "whoever mounts the credentials follows them";
  EXPECT_TRUE(Plan(kNow + hours{200 * 24}).Idle());
  const SecretPlan due = Plan(kNow + hours{310 * 24});
  ASSERT_EQ(due.actions.size(), 1u);
  EXPECT_EQ(due.actions[0].verb, Verb::kMergePatch);
  EXPECT_EQ(due.actions[0].key.name, "demo-db-tls");
  EXPECT_EQ(due.actions[0].event_reason, "CertificateRenewed");
  EXPECT_EQ(due.actions[0].body.at("metadata").at("resourceVersion"), kube::ResourceVersionOf(Secret("demo-db-tls")));
  CarryOut(due);
  EXPECT_TRUE(Plan(kNow + hours{310 * 24}).Idle());
  EXPECT_NE(SecretChecksums(cluster_, observed_).at("demo-db-tls"), checksums.at("demo-db-tls"));
}

TEST_F(SecretsTest, TheServicesCertificateComesFromTheAuthorityOfTheServers) {
  cluster_.spec.service.tls.emplace();
  CarryOut(Plan());
  const auto file = [&](const char* secret, const char* name) {
    return *kube::Base64Decode(Secret(secret).at("data").at(name).get<std::string>());
  };
  EXPECT_TRUE(certificates::IsIssuedBy(file("demo-tls", "tls.crt"), file("demo-ca", "ca.crt")));
  EXPECT_EQ(PublishedAuthorities(cluster_, observed_), file("demo-ca", "ca.crt"));
  EXPECT_EQ(Secret("demo-tls").at("type"), "kubernetes.io/tls");
  EXPECT_EQ(Secret("demo-tls").at("metadata").at("ownerReferences").at(0).at("uid"), "u-1");
  EXPECT_TRUE(Plan().Idle());
}

TEST_F(SecretsTest, WithoutADatabaseTheServiceHasAnAuthorityAllTheSame) {
  cluster_.spec.backends = {{"local", api::MemoryBackend{"1Mi"}}};
  EXPECT_TRUE(Plan().Idle());
  EXPECT_EQ(PublishedAuthorities(cluster_, observed_), "");
  cluster_.spec.service.tls.emplace();
  const SecretPlan plan = Plan();
  ASSERT_EQ(plan.actions.size(), 2u);
  EXPECT_EQ(plan.actions[0].key.name, "demo-ca");
  EXPECT_EQ(plan.actions[1].key.name, "demo-tls");
  CarryOut(plan);
  const auto facts =
      certificates::ReadFacts(*kube::Base64Decode(Secret("demo-tls").at("data").at("tls.crt").get<std::string>()));
  ASSERT_TRUE(facts.ok());
  EXPECT_THAT(facts->names, ::testing::ElementsAre("demo.prod.svc", "demo.prod.svc.cluster.local", "demo.prod", "demo",
                                                   "demo-headless.prod.svc", "demo-headless.prod.svc.cluster.local",
                                                   "*.demo-headless.prod.svc", "*.demo-headless.prod.svc.cluster.local",
                                                   "localhost"));
  EXPECT_TRUE(Plan(kNow + hours{300 * 24}).Idle());
  const SecretPlan due = Plan(kNow + hours{310 * 24});
  ASSERT_EQ(due.actions.size(), 1u);
  EXPECT_EQ(due.actions[0].key.name, "demo-tls");
  EXPECT_EQ(due.actions[0].event_reason, "CertificateRenewed");
}

TEST_F(SecretsTest, ForACertificateOfOnesOwnNothingIsMade) {
  cluster_.spec.backends = {{"local", api::MemoryBackend{"1Mi"}}};
  cluster_.spec.service.tls = api::ServiceTls{.secret_name = "own"};
  EXPECT_TRUE(Plan().Idle());
}

TEST_F(SecretsTest, AStrangersSecretOfTheServicesNameIsLeftAlone) {
  cluster_.spec.service.tls.emplace();
  observed_.Put(kinds::kSecret, Json::parse(R"({"metadata": {"name": "demo-tls", "namespace": "prod", "uid": "x"}})"));
  ASSERT_TRUE(Plan().blocked);
  EXPECT_EQ(Plan().blocked->reason, "ObjectConflict");
}

TEST_F(SecretsTest, ABrokenAuthorityIsReportedAndNotReplaced) {
  CarryOut(Plan());
  Secret("demo-ca")["data"]["ca.key"] = kube::Base64Encode("nonsense");
  const SecretPlan plan = Plan();
  ASSERT_TRUE(plan.blocked);
  EXPECT_EQ(plan.blocked->reason, "AuthorityBroken");
  EXPECT_TRUE(plan.actions.empty());
}

}  // namespace
}  // namespace holdfast::storagecluster
