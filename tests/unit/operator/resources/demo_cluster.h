// A StorageCluster `demo` of a spec in YAML, and the settings that its service is given.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/config/yaml.h"
#include "tests/unit/operator/resources/find.h"

namespace holdfast::resources {

inline api::StorageCluster DemoCluster(const std::string& spec) {
  const auto documents = config::ParseYamlDocuments(spec, "spec");
  const api::ParsedStorageCluster parsed =
      api::ParseStorageCluster({{"apiVersion", api::kApiVersion},
                                {"kind", api::kStorageClusterKind},
                                {"metadata", {{"name", "demo"}, {"namespace", "prod"}}},
                                {"spec", documents->front()}});
  EXPECT_TRUE(parsed.cluster.has_value()) << api::Summarize(parsed.errors);
  return *parsed.cluster;
}

inline kube::Json SettingsOfDemo(const api::StorageCluster& cluster) {
  const kube::Json map = Find(cluster, "ConfigMap", "demo-config");
  const auto documents = config::ParseYamlDocuments(map.at("data").at("holdfast.yaml").get<std::string>(), "config");
  EXPECT_TRUE(documents.ok());
  return documents->front();
}

}  // namespace holdfast::resources
