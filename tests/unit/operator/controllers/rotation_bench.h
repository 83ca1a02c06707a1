// What the tests of rotations have in common: a cluster with one server and one pooler, and what its credentials say.
// Like the bench they are for one thread.
#pragma once

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "operator/api/v1/annotations.h"
#include "operator/controllers/storagecluster/rotation.h"
#include "operator/kube/base64.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::storagecluster {

inline constexpr char kSecret[] = "demo-db-credentials";

inline Json SmallSpec() {
  Json spec = PostgresSpec();
  spec["backends"][0]["postgres"]["instances"] = 1;
  spec["backends"][0]["postgres"]["pooler"] = {{"instances", 1}};
  return spec;
}

inline void Wish(ClusterBench& bench, const std::string& wish) {
  const auto wished =
      bench.user().MergePatch(kube::kinds::kStorageCluster, {"prod", "demo"},
                              {{"metadata", {{"annotations", {{api::kRotatePasswordsAnnotation, wish}}}}}},
                              Deadline::After(std::chrono::seconds{10}));
  ASSERT_TRUE(wished.ok());
}

inline std::string Annotation(ClusterBench& bench, const char* name, const char* credentials = kSecret) {
  const Json::json_pointer pointer = Json::json_pointer("/metadata/annotations") / name;
  const Json secret = bench.Get(kube::kinds::kSecret, credentials);
  return secret.contains(pointer) ? secret.at(pointer).get<std::string>() : std::string();
}

inline std::vector<std::string> Jobs(ClusterBench& bench) {
  auto jobs = bench.user().List(kube::kinds::kJob, "prod", {}, Deadline::After(std::chrono::seconds{10}));
  std::vector<std::string> names;
  for (const Json& job : jobs->items) names.push_back(kube::KeyOf(job).name);
  return names;
}

class RotationTest : public ::testing::Test {
 protected:
  RotationTest() {
    bench_.CreateCluster("demo", SmallSpec());
    EXPECT_TRUE(bench_.Converge("demo"));
    EXPECT_EQ(bench_.ConditionOf("demo", "Ready"), "True Available");
    before_ = bench_.Get(kube::kinds::kSecret, kSecret).at("data");
  }
  Json Data() { return bench_.Get(kube::kinds::kSecret, kSecret).at("data"); }
  std::string File(const char* name) { return *kube::Base64Decode(Data().at(name).get<std::string>()); }
  // What the servers are to log in with, and whose rotation they say it is of.
  Json Servers() { return Json::parse(File("patroni-logins.yml")).at("postgresql"); }

  ClusterBench bench_;
  Json before_;
};

}  // namespace holdfast::storagecluster
