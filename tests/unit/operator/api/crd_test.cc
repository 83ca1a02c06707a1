#include "operator/api/v1/crd.h"

#include <fstream>
#include <sstream>

#include "base/config/yaml.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/api/v1/storage_cluster.h"

namespace holdfast::api {
namespace {

std::string ReadSource(const std::string& path) {
  std::ifstream file(std::string(HOLDFAST_SOURCE_DIR) + "/" + path);
  EXPECT_TRUE(file.good()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

const Json& Schema(const Json& definition) {
  return definition.at("spec").at("versions").at(0).at("schema").at("openAPIV3Schema");
}

// Calls `visit` with every schema and its path.
void Walk(const Json& schema, const std::string& path,
          const std::function<void(const Json&, const std::string&)>& visit) {
  visit(schema, path);
  if (schema.contains("properties")) {
    for (const auto& [name, property] : schema.at("properties").items()) Walk(property, path + "." + name, visit);
  }
  if (schema.contains("items")) Walk(schema.at("items"), path + "[]", visit);
  if (schema.contains("additionalProperties")) Walk(schema.at("additionalProperties"), path + "{}", visit);
}

TEST(Crd, TheFileIsWhatTheProgramPrints) {
  EXPECT_EQ(ReadSource("crds/storage.holdfast.dev_storageclusters.yaml"), config::ToYaml(StorageClusterDefinition()))
      << "run: holdfast-operator crd StorageCluster > crds/storage.holdfast.dev_storageclusters.yaml";
  EXPECT_EQ(ReadSource("crds/storage.holdfast.dev_storagemigrations.yaml"),
            config::ToYaml(StorageMigrationDefinition()))
      << "run: holdfast-operator crd StorageMigration > crds/storage.holdfast.dev_storagemigrations.yaml";
  EXPECT_EQ(ReadSource("crds/storage.holdfast.dev_storagebackups.yaml"), config::ToYaml(StorageBackupDefinition()))
      << "run: holdfast-operator crd StorageBackup > crds/storage.holdfast.dev_storagebackups.yaml";
  EXPECT_EQ(ReadSource("crds/storage.holdfast.dev_storagerestores.yaml"), config::ToYaml(StorageRestoreDefinition()))
      << "run: holdfast-operator crd StorageRestore > crds/storage.holdfast.dev_storagerestores.yaml";
}

TEST(Crd, TheReferenceIsWhatTheProgramPrints) {
  EXPECT_EQ(ReadSource("docs/storagecluster.md"), StorageClusterReference())
      << "run: holdfast-operator crd StorageCluster --reference > docs/storagecluster.md";
  EXPECT_EQ(ReadSource("docs/storagemigration.md"), StorageMigrationReference())
      << "run: holdfast-operator crd StorageMigration --reference > docs/storagemigration.md";
  EXPECT_EQ(ReadSource("docs/storagebackup.md"), StorageBackupReference())
      << "run: holdfast-operator crd StorageBackup --reference > docs/storagebackup.md";
  EXPECT_EQ(ReadSource("docs/storagerestore.md"), StorageRestoreReference())
      << "run: holdfast-operator crd StorageRestore --reference > docs/storagerestore.md";
}

TEST(Crd, YamlReadsBackAsTheDefinition) {
  for (const Json& definition : Definitions()) {
    const auto documents = config::ParseYamlDocuments(config::ToYaml(definition), "crd");
    ASSERT_TRUE(documents.ok()) << documents.error().message();
    ASSERT_EQ(documents->size(), 1u);
    EXPECT_EQ(documents->front(), definition);
  }
}

TEST(Crd, TheSchemaIsStructuralAndDescribed) {
  const auto check = [](const Json& schema, const std::string& path) {
    const bool typed = schema.contains("type") || schema.contains("x-kubernetes-int-or-string");
    EXPECT_TRUE(typed) << path;
    const bool of_every_object = path == ".apiVersion" || path == ".kind" || path == ".metadata";
    const bool item = path.size() >= 2 && path.substr(path.size() - 2) == "[]";
    if (!of_every_object && !item) {
      EXPECT_TRUE(schema.contains("description")) << path;
    }
  };
  for (const Json& definition : Definitions()) Walk(Schema(definition), "", check);
}

// Without a bound the API server estimates the cost of a rule over it as unlimited and refuses the definition.
TEST(Crd, EverythingInTheSpecIsBounded) {
  const auto check = [](const Json& schema, const std::string& path) {
    const std::string type = schema.value("type", std::string());
    const bool later = schema.value("description", std::string()).rfind("Not supported by this release", 0) == 0;
    if (type == "array" && !later) {
      EXPECT_TRUE(schema.contains("maxItems")) << path;
    }
    if (type == "string") {
      EXPECT_TRUE(schema.contains("maxLength") || schema.contains("enum")) << path;
    }
  };
  for (const Json& definition : Definitions()) Walk(Schema(definition).at("properties").at("spec"), "spec", check);
}

TEST(Crd, LaterFieldsAreKeptSoThatTheyCanBeRefused) {
  const Json definition = StorageClusterDefinition();
  int later = 0;
  Walk(Schema(definition), "", [&](const Json& schema, const std::string&) {
    if (!schema.contains("properties")) return;
    for (const auto& [name, property] : schema.at("properties").items()) {
      if (property.value("description", std::string()).rfind("Not supported by this release", 0) != 0) continue;
      ++later;
      const Json& open = property.at("type") == "array" ? property.at("items") : property;
      EXPECT_EQ(open.value("x-kubernetes-preserve-unknown-fields", false), true) << name;
      const std::string rule = "!has(self." + name + ")";
      const Json& rules = schema.at("x-kubernetes-validations");
      EXPECT_TRUE(std::any_of(rules.begin(), rules.end(), [&](const Json& r) { return r.at("rule") == rule; })) << name;
    }
  });
  EXPECT_EQ(later, 2);
}

TEST(Crd, NamesColumnsAndSubresources) {
  const Json spec = StorageClusterDefinition().at("spec");
  EXPECT_EQ(spec.at("names").at("shortNames"), Json::array({"stc"}));
  EXPECT_EQ(spec.at("names").at("categories"), Json::array({"holdfast"}));
  const Json& version = spec.at("versions").at(0);
  EXPECT_TRUE(version.at("subresources").contains("status"));
  EXPECT_EQ(version.at("subresources").at("scale").at("specReplicasPath"), ".spec.service.replicas");
  std::vector<std::string> columns;
  for (const Json& column : version.at("additionalPrinterColumns")) columns.push_back(column.at("name"));
  EXPECT_THAT(columns, ::testing::ElementsAre("Ready", "Reason", "Replicas", "Stores", "Endpoint", "Age", "Message"));
}

TEST(Crd, NamesOfStorageMigration) {
  const Json definition = StorageMigrationDefinition();
  EXPECT_EQ(definition.at("metadata").at("name"), "storagemigrations.storage.holdfast.dev");
  EXPECT_EQ(definition.at("spec").at("names").at("shortNames"), Json::array({"stm"}));
  const Json& version = definition.at("spec").at("versions").at(0);
  EXPECT_EQ(version.at("subresources"), Json({{"status", Json::object()}}));
  std::vector<std::string> columns;
  for (const Json& column : version.at("additionalPrinterColumns")) columns.push_back(column.at("name"));
  EXPECT_THAT(columns, ::testing::ElementsAre("Cluster", "Store", "From", "To", "Complete", "Reason", "Copied", "Total",
                                              "Age", "Message"));
}

TEST(Samples, AreValid) {
  for (const char* path :
       {"crds/samples/embedded.yaml", "crds/samples/memory.yaml", "crds/samples/postgres.yaml",
        "crds/samples/redis.yaml", "crds/samples/redis_sentinel.yaml", "crds/samples/redis_cluster.yaml",
        "crds/samples/redis_external.yaml", "crds/samples/redis_locks.yaml", "crds/samples/composed.yaml"}) {
    const auto documents = config::ParseYamlDocuments(ReadSource(path), path);
    ASSERT_TRUE(documents.ok()) << documents.error().message();
    for (const Json& document : *documents) {
      const ParsedStorageCluster parsed = ParseStorageCluster(document);
      EXPECT_TRUE(parsed.cluster.has_value()) << path << ": " << Summarize(parsed.errors);
    }
  }
}

}  // namespace
}  // namespace holdfast::api
