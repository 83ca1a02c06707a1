// What spec.service.tls names and somebody else makes: what is wrong with it is said, nothing runs into it, and it is
// noticed when it comes, goes or changes.
#include "operator/controllers/storagecluster/tls_references.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/certificates/certificate.h"
#include "operator/kube/base64.h"
#include "operator/resources/names.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::storagecluster {
namespace {

using std::chrono::hours;
using ::testing::HasSubstr;
namespace kinds = kube::kinds;

const kube::ObjectKey kOwn{"prod", "own"};

Deadline Soon() {
  return Deadline::After(std::chrono::seconds{10});
}

certificates::KeyPair Own(Timestamp now) {
  const auto authority = certificates::MakeAuthority("mine", {now - hours{1}, now + hours{48}});
  EXPECT_TRUE(authority.ok());
  const auto made = certificates::Issue(*authority, {"demo.prod.svc"}, {now - hours{1}, now + hours{24}});
  EXPECT_TRUE(made.ok());
  return *made;
}

Json SecretOf(const certificates::KeyPair& pair) {
  return {{"apiVersion", "v1"},
          {"kind", "Secret"},
          {"metadata", {{"name", kOwn.name}, {"namespace", kOwn.ns}}},
          {"type", "kubernetes.io/tls"},
          {"data", {{"tls.crt", kube::Base64Encode(pair.certificate)}, {"tls.key", kube::Base64Encode(pair.key)}}}};
}

TEST(JudgeCertificate, NamesTheSecretAndWhatIsWrongAndNoContent) {
  const Timestamp now = SystemClock().Now();
  const certificates::KeyPair own = Own(now);
  const Json good = SecretOf(own);
  EXPECT_FALSE(JudgeCertificate(kOwn, &good, now));

  EXPECT_EQ(JudgeCertificate(kOwn, nullptr, now)->reason, "TlsSecretMissing");
  EXPECT_THAT(JudgeCertificate(kOwn, nullptr, now)->message, HasSubstr("Secret prod/own is not there"));

  const auto why = [&](const Json& secret, Timestamp when) {
    const auto problem = JudgeCertificate(kOwn, &secret, when);
    EXPECT_TRUE(problem);
    EXPECT_EQ(problem->reason, "TlsSecretInvalid");
    EXPECT_EQ(problem->message.find("-----BEGIN"), std::string::npos);
    return problem->message;
  };
  EXPECT_THAT(why(good, now + hours{25}), HasSubstr("its certificate ended at 2"));
  EXPECT_THAT(why(SecretOf({"nonsense", own.key}), now), HasSubstr("its tls.crt is missing or no certificate"));
  EXPECT_THAT(why(SecretOf({own.certificate + "-----BEGIN CERTIFICATE-----\n!\n", own.key}), now),
              HasSubstr("no certificate in PEM"));
  EXPECT_THAT(why(SecretOf({own.certificate, Own(now).key}), now), HasSubstr("not the key of its tls.crt"));
  EXPECT_THAT(why(SecretOf({own.certificate, ""}), now), HasSubstr("its tls.key is missing"));
  Json of_operator = good;
  of_operator["metadata"]["labels"][resources::kManagedByLabel] = resources::kFieldManager;
  EXPECT_THAT(why(of_operator, now), HasSubstr("is the operator's own"));
  for (const char* data : {R"({})", R"({"data": null})", R"({"data": []})", R"({"data": {"tls.crt": 7}})",
                           R"({"data": {"tls.crt": "no base64!"}})"}) {
    EXPECT_THAT(why(Json::parse(data), now), HasSubstr("its tls.crt is missing")) << data;
  }
}

TEST(JudgeClientAuthority, ReadsSecretsAndConfigMaps) {
  const std::string pem = Own(SystemClock().Now()).certificate;
  api::ClientAuthority reference{.in_config_map = true, .name = "clients", .key = "ca.crt"};
  const Json map = {{"data", {{"ca.crt", pem}}}};
  const Json secret = {{"data", {{"ca.crt", kube::Base64Encode(pem)}}}};
  EXPECT_FALSE(JudgeClientAuthority("prod", reference, &map));
  EXPECT_EQ(JudgeClientAuthority("prod", reference, &secret)->reason, "ClientCaInvalid");
  EXPECT_THAT(JudgeClientAuthority("prod", reference, nullptr)->message,
              HasSubstr("ConfigMap prod/clients is not there"));
  reference.in_config_map = false;
  EXPECT_FALSE(JudgeClientAuthority("prod", reference, &secret));
  EXPECT_EQ(JudgeClientAuthority("prod", reference, nullptr)->reason, "ClientCaMissing");
  reference.key = "other";
  EXPECT_THAT(JudgeClientAuthority("prod", reference, &secret)->message, HasSubstr("has nothing under its key"));
}

Json WithTls(const Json& tls) {
  Json spec = MemorySpec();
  spec["service"]["tls"] = tls;
  return spec;
}

TEST(ServiceTls, TheAuthorityIsPublishedAndTheStatusSaysWhere) {
  ClusterBench bench;
  bench.CreateCluster("demo", WithTls({{"enabled", true}}));
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  const Json status = bench.Cluster("demo").at("status");
  EXPECT_EQ(status.at("endpoint"), "https://demo.prod.svc:8080");
  EXPECT_EQ(status.at("caConfigMap"), "demo-ca");
  const auto published = [&] { return kube::StringAt(bench.Get(kinds::kConfigMap, "demo-ca"), "/data/ca.crt"); };
  const auto of_secret = [&](const char* name, const char* file) {
    return *kube::Base64Decode(bench.Get(kinds::kSecret, name).at("data").at(file).get<std::string>());
  };
  EXPECT_EQ(published(), of_secret("demo-ca", "ca.crt"));
  EXPECT_TRUE(certificates::IsIssuedBy(of_secret("demo-tls", "tls.crt"), published()));

  // Whoever deletes the authority gets another one, and it is published at once.
  const std::string before = published();
  ASSERT_TRUE(bench.user().Delete(kinds::kSecret, {"prod", "demo-ca"}, {}, Soon()).ok());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_NE(published(), before);
  EXPECT_TRUE(certificates::IsIssuedBy(of_secret("demo-tls", "tls.crt"), published()));
}

TEST(ServiceTls, ANewCertificateRollsNoPodAndSwitchingDoes) {
  ClusterBench bench;
  bench.CreateCluster("demo", WithTls({{"enabled", true}}));
  ASSERT_TRUE(bench.Converge("demo"));
  const auto pods = [&] { return bench.Get(kinds::kStatefulSet, "demo").at("spec").at("template"); };
  const Json issued = pods();
  const std::string first = bench.Get(kinds::kSecret, "demo-tls").at("data").dump();
  ASSERT_TRUE(bench.user().Delete(kinds::kSecret, {"prod", "demo-tls"}, {}, Soon()).ok());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_NE(bench.Get(kinds::kSecret, "demo-tls").at("data").dump(), first);
  EXPECT_EQ(pods(), issued);
  bench.PatchSpec("demo", {{"service", {{"tls", {{"enabled", false}}}}}});
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_NE(pods(), issued);
  const Json status = bench.Cluster("demo").at("status");
  EXPECT_EQ(status.at("endpoint"), "http://demo.prod.svc:8080");
  EXPECT_FALSE(status.contains("caConfigMap"));
  EXPECT_TRUE(bench.Get(kinds::kSecret, "demo-tls").is_null());
  EXPECT_TRUE(bench.Get(kinds::kConfigMap, "demo-ca").is_null());
}

TEST(ServiceTls, WaitsForTheSecretItNamesAndThenRuns) {
  ClusterBench bench;
  bench.CreateCluster("demo", WithTls({{"secretName", "own"}}));
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "False TlsSecretMissing");
  EXPECT_EQ(bench.ConditionOf("demo", "Degraded"), "True TlsSecretMissing");
  EXPECT_THAT(bench.MessageOf("demo", "Ready"), HasSubstr("spec.service.tls.secretName: Secret prod/own is not there"));
  EXPECT_TRUE(bench.Get(kinds::kStatefulSet, "demo").is_null()) << "its pods could not start";
  const auto looks_again = bench.Reconcile("demo");
  ASSERT_TRUE(looks_again.ok());
  EXPECT_TRUE(looks_again->requeue_after) << "nothing announces it";

  ASSERT_TRUE(bench.user().Create(kinds::kSecret, SecretOf(Own(SystemClock().Now())), Soon()).ok());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  EXPECT_EQ(bench.ConditionOf("demo", "Degraded"), "False AsExpected");
  EXPECT_EQ(bench.Cluster("demo").at("status").at("endpoint"), "https://demo.prod.svc:8080");
  EXPECT_FALSE(bench.Cluster("demo").at("status").contains("caConfigMap")) << "whose authority it is nobody said";
  const int writes = bench.client().writes();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(bench.Reconcile("demo").ok());
  EXPECT_EQ(bench.client().writes(), writes);
}

TEST(ServiceTls, WhatRunsGoesOnWhenItsSecretIsGoneAndNothingIsRolledIntoThat) {
  ClusterBench bench;
  ASSERT_TRUE(bench.user().Create(kinds::kSecret, SecretOf(Own(SystemClock().Now())), Soon()).ok());
  bench.CreateCluster("demo", WithTls({{"secretName", "own"}}));
  ASSERT_TRUE(bench.Converge("demo"));
  ASSERT_TRUE(bench.user().Delete(kinds::kSecret, kOwn, {}, Soon()).ok());
  bench.RestartOperator();  // it has nothing in mind
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available") << "the pods have read it";
  EXPECT_EQ(bench.ConditionOf("demo", "Degraded"), "True TlsSecretMissing");

  const Json running = bench.Get(kinds::kStatefulSet, "demo").at("spec");
  bench.PatchSpec("demo", {{"stores", Json::array({{{"name", "main"}, {"backend", "fast"}, {"defaultTtl", "1h"}}})}});
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "False TlsSecretMissing");
  EXPECT_EQ(bench.Get(kinds::kStatefulSet, "demo").at("spec"), running);
  // Nobody who wants rid of it is held up.
  bench.PatchSpec("demo", {{"service", {{"replicas", 0}}}});
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "False ScaledToZero");
  bench.PatchSpec("demo", {{"service", {{"replicas", 1}, {"tls", nullptr}}}});
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
}

TEST(ServiceTls, AsksClientsOnlyOnceThereAreAuthorities) {
  ClusterBench bench;
  bench.CreateCluster("demo", WithTls({{"clientCA", {{"configMapRef", {{"name", "clients"}, {"key", "ca.crt"}}}}}}));
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "False ClientCaMissing");
  const Json map = {{"apiVersion", "v1"},
                    {"kind", "ConfigMap"},
                    {"metadata", {{"name", "clients"}, {"namespace", "prod"}}},
                    {"data", {{"ca.crt", "nonsense"}}}};
  ASSERT_TRUE(bench.user().Create(kinds::kConfigMap, map, Soon()).ok());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "False ClientCaInvalid");
  const std::string pem = Own(SystemClock().Now()).certificate;
  ASSERT_TRUE(
      bench.user().MergePatch(kinds::kConfigMap, {"prod", "clients"}, {{"data", {{"ca.crt", pem}}}}, Soon()).ok());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
}

TEST(TlsReferences, AreBelievedForAWhileAndPerGeneration) {
  ClusterBench bench;
  ASSERT_TRUE(bench.user().Create(kinds::kSecret, SecretOf(Own(SystemClock().Now())), Soon()).ok());
  api::StorageCluster cluster;
  cluster.ns = "prod";
  cluster.name = "demo";
  cluster.uid = "u-1";
  cluster.generation = 1;
  ManualClock clock(SystemClock().Now());
  TlsReferences references(clock);
  EXPECT_TRUE(references.AreFresh(cluster)) << "it names nothing";
  cluster.spec.service.tls = api::ServiceTls{.secret_name = "own"};
  EXPECT_FALSE(references.AreFresh(cluster));
  const auto found = references.Look(bench.user(), cluster, Soon());
  ASSERT_TRUE(found.ok());
  EXPECT_FALSE(found->has_value());
  EXPECT_TRUE(references.AreFresh(cluster));
  clock.Advance(kReferencesHold);
  EXPECT_FALSE(references.AreFresh(cluster));
  ASSERT_TRUE(references.Look(bench.user(), cluster, Soon()).ok());
  EXPECT_TRUE(references.AreFresh(cluster));
  cluster.generation = 2;
  EXPECT_FALSE(references.AreFresh(cluster));
  cluster.hibernated = true;
  EXPECT_TRUE(references.AreFresh(cluster)) << "nothing mounts it";
}

}  // namespace
}  // namespace holdfast::storagecluster
