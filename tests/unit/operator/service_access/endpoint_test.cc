// A pod of the service is asked by its address, and with TLS believed for the name that its certificate is for.
#include "operator/service_access/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/certificates/certificate.h"
#include "operator/kube/base64.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::service_access {
namespace {

using certificates::KeyPair;
using kube::Json;
using std::chrono::hours;
using ::testing::HasSubstr;
namespace kinds = kube::kinds;

Deadline Soon() {
  return Deadline::After(std::chrono::seconds{10});
}

Json Pod(const std::string& name, const std::string& address, bool ready = true) {
  return {
      {"metadata", {{"name", name}, {"namespace", "prod"}}},
      {"status", {{"podIP", address}, {"conditions", {{{"type", "Ready"}, {"status", ready ? "True" : "False"}}}}}}};
}

class ReachTest : public testing::Test {
 protected:
  ReachTest() {
    const Timestamp now = SystemClock().Now();
    validity_ = {now - hours{1}, now + hours{24}};
    authority_ = *certificates::MakeAuthority("mine", validity_);
  }
  KeyPair Issued(const std::vector<std::string>& names) const {
    return *certificates::Issue(authority_, names, validity_);
  }
  void MakeSecret(const std::string& name, const std::map<std::string, std::string>& files) {
    Json data = Json::object();
    for (const auto& [file, text] : files) data[file] = kube::Base64Encode(text);
    const Json secret = {{"apiVersion", "v1"},
                         {"kind", "Secret"},
                         {"metadata", {{"name", name}, {"namespace", "prod"}}},
                         {"data", data}};
    ASSERT_TRUE(bench_.user().Create(kinds::kSecret, secret, Soon()).ok());
  }
  Reached ReachWith(const Json& tls, const std::string& preferred = "") {
    Json spec = storagecluster::MemorySpec();
    if (!tls.is_null()) spec["service"]["tls"] = tls;
    const auto parsed = api::ParseStorageCluster({{"apiVersion", api::kApiVersion},
                                                  {"kind", api::kStorageClusterKind},
                                                  {"metadata", {{"name", "demo"}, {"namespace", "prod"}}},
                                                  {"spec", spec}});
    EXPECT_TRUE(parsed.cluster) << api::Summarize(parsed.errors);
    auto reached = Reach(bench_.user(), *parsed.cluster, pods_, "token", preferred, Soon());
    EXPECT_TRUE(reached.ok()) << reached.error().ToString();
    return *reached;
  }

  storagecluster::ClusterBench bench_;
  certificates::Validity validity_;
  KeyPair authority_;
  std::vector<Json> pods_{Pod("demo-0", "10.0.0.1"), Pod("demo-1", "10.0.0.2")};
};

TEST_F(ReachTest, WithoutTlsAReadyPodAnswersAndThePreferredOneFirst) {
  EXPECT_EQ(ReachWith(nullptr).endpoint.base_url, "http://10.0.0.1:8080");
  const Reached second = ReachWith(nullptr, "demo-1");
  EXPECT_EQ(second.endpoint.base_url, "http://10.0.0.2:8080");
  EXPECT_EQ(second.pod, "demo-1");
  EXPECT_EQ(second.endpoint.token, "token");
  EXPECT_EQ(second.endpoint.server_name, "");
  pods_.back() = Pod("demo-1", "10.0.0.2", false);
  EXPECT_EQ(ReachWith(nullptr, "demo-1").pod, "demo-0");
  pods_.clear();
  EXPECT_THAT(ReachWith(nullptr).silence, HasSubstr("no pod of the service is ready"));
}

TEST_F(ReachTest, ACertificateOfTheOperatorsIsForTheServicesNameWhicheverPodShowsIt) {
  EXPECT_THAT(ReachWith({{"enabled", true}}).silence, HasSubstr("ConfigMap demo-ca"));
  const Json published = {{"apiVersion", "v1"},
                          {"kind", "ConfigMap"},
                          {"metadata", {{"name", "demo-ca"}, {"namespace", "prod"}}},
                          {"data", {{"ca.crt", authority_.certificate}}}};
  ASSERT_TRUE(bench_.user().Create(kinds::kConfigMap, published, Soon()).ok());
  const Reached reached = ReachWith({{"enabled", true}}, "demo-1");
  EXPECT_EQ(reached.silence, "");
  EXPECT_EQ(reached.endpoint.base_url, "https://10.0.0.2:8080");
  EXPECT_EQ(reached.endpoint.server_name, "demo.prod.svc");
  EXPECT_EQ(reached.endpoint.authority, authority_.certificate);
  EXPECT_EQ(reached.endpoint.certificate, "");
}

TEST_F(ReachTest, ACertificateOfOnesOwnIsTrustedAsItStandsInItsSecret) {
  const Json tls = {{"secretName", "own"}};
  EXPECT_THAT(ReachWith(tls).silence, HasSubstr("Secret own of service.tls.secretName"));
  const KeyPair own = Issued({"holdfast.example.com", "demo.prod.svc"});
  MakeSecret("own", {{"tls.crt", own.certificate}, {"tls.key", own.key}, {"ca.crt", authority_.certificate}});
  const Reached reached = ReachWith(tls);
  EXPECT_EQ(reached.silence, "");
  EXPECT_EQ(reached.endpoint.server_name, "demo.prod.svc");
  EXPECT_THAT(reached.endpoint.authority, HasSubstr(own.certificate));
  EXPECT_THAT(reached.endpoint.authority, HasSubstr(authority_.certificate));
  EXPECT_EQ(reached.endpoint.authority.find(own.key), std::string::npos);
}

TEST_F(ReachTest, ACertificateOfOnesOwnNeedNotNameTheService) {
  for (const auto& [secret, name, expected] : {std::tuple("one", "holdfast.example.com", "holdfast.example.com"),
                                               {"any", "*.example.com", "demo.example.com"}}) {
    const KeyPair own = Issued({name});
    MakeSecret(secret, {{"tls.crt", own.certificate}, {"tls.key", own.key}});
    EXPECT_EQ(ReachWith({{"secretName", secret}}).endpoint.server_name, expected);
  }
}

TEST_F(ReachTest, WhereClientsShowCertificatesTheOperatorShowsItsOwn) {
  const KeyPair own = Issued({"demo.prod.svc"});
  MakeSecret("own", {{"tls.crt", own.certificate}, {"tls.key", own.key}});
  const Json tls = {{"secretName", "own"},
                    {"clientCA", {{"configMapRef", {{"name", "clients"}, {"key", "ca.crt"}}}}},
                    {"operatorSecretName", "operator"}};
  EXPECT_THAT(ReachWith(tls).silence, HasSubstr("Secret operator of service.tls.operatorSecretName"));
  const KeyPair as_client = Issued({"operator"});
  MakeSecret("operator", {{"tls.crt", as_client.certificate}, {"tls.key", own.key}});
  EXPECT_THAT(ReachWith(tls).silence, HasSubstr("with its key")) << "the key of another";
  ASSERT_TRUE(bench_.user().Delete(kinds::kSecret, {"prod", "operator"}, {}, Soon()).ok());
  MakeSecret("operator", {{"tls.crt", as_client.certificate}, {"tls.key", as_client.key}});
  const Reached reached = ReachWith(tls);
  EXPECT_EQ(reached.silence, "");
  EXPECT_EQ(reached.endpoint.certificate, as_client.certificate);
  EXPECT_EQ(reached.endpoint.key, as_client.key);
}

TEST(WhyNotSteered, OnlyACertificateThatTheOperatorIsNotGivenKeepsItOut) {
  api::StorageCluster cluster;
  EXPECT_EQ(WhyNotSteered(cluster, "go"), "");
  cluster.spec.service.tls = api::ServiceTls{.secret_name = "own"};
  EXPECT_EQ(WhyNotSteered(cluster, "go"), "");
  cluster.spec.service.tls->client_authority = api::ClientAuthority{.in_config_map = true, .name = "a", .key = "b"};
  EXPECT_THAT(WhyNotSteered(cluster, "go"), HasSubstr("service.tls.operatorSecretName, or go"));
  cluster.spec.service.tls->operator_secret_name = "operator";
  EXPECT_EQ(WhyNotSteered(cluster, "go"), "");
}

}  // namespace
}  // namespace holdfast::service_access
