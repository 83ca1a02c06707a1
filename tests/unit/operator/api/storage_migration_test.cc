#include "operator/api/v1/storage_migration.h"

#include <fstream>
#include <set>
#include <sstream>

#include "base/config/yaml.h"
#include "gtest/gtest.h"
#include "operator/api/v1/storage_cluster.h"

namespace holdfast::api {
namespace {

Json Migration(const Json& spec) {
  return {{"apiVersion", kApiVersion},
          {"kind", kStorageMigrationKind},
          {"metadata",
           {{"name", "move"}, {"namespace", "prod"}, {"uid", "u-1"}, {"creationTimestamp", "2026-11-22T10:00:00Z"}}},
          {"spec", spec}};
}

TEST(StorageMigrationCases, AreAcceptedOrRefusedAtTheRightFields) {
  std::ifstream file(std::string(HOLDFAST_SOURCE_DIR) + "/tests/unit/operator/api/migration_cases.yaml");
  std::ostringstream text;
  text << file.rdbuf();
  const auto cases = config::ParseYamlDocuments(text.str(), "migration_cases.yaml");
  ASSERT_TRUE(cases.ok()) << cases.error().message();
  ASSERT_GE(cases->size(), 14u);
  for (const Json& entry : *cases) {
    SCOPED_TRACE(entry.at("case").get<std::string>());
    const Json old = entry.contains("old") ? Migration(entry.at("old")) : Json();
    if (!old.is_null()) {
      EXPECT_TRUE(ParseStorageMigration(old).migration.has_value());
    }
    const ParsedStorageMigration parsed =
        ParseStorageMigration(Migration(entry.at("spec")), old.is_null() ? nullptr : &old);
    std::set<std::string> broken;
    for (const FieldError& error : parsed.errors) broken.insert(error.path);
    EXPECT_EQ(broken, entry.at("broken").get<std::set<std::string>>()) << Summarize(parsed.errors);
  }
}

TEST(StorageMigrationStatusText, ReadsBackAsItWasWritten) {
  StorageMigrationStatus status;
  status.observed_generation = 3;
  status.from = "old";
  status.former_id = "";
  status.id = "9c1e";
  status.service_phase = "verifying";
  status.ending = "Deleted";
  status.cut_over_time = Timestamp{std::chrono::seconds{1'700'000'000}};
  status.total = 10;
  status.copied = 9;
  status.compared = 8;
  status.differences = 7;
  Json object = Migration({{"cluster", "demo"}, {"store", "main"}, {"to", "db"}});
  object["status"] = StatusToJson(status);
  const ParsedStorageMigration parsed = ParseStorageMigration(object);
  ASSERT_TRUE(parsed.migration.has_value());
  EXPECT_EQ(StatusToJson(parsed.migration->status), object.at("status"));
  EXPECT_EQ(parsed.migration->status.former_id, "");
  EXPECT_EQ(parsed.migration->spec.deadline, std::chrono::hours{24});
}

TEST(StorageMigrationStatusText, WhatMakesNoSenseCountsAsAbsent) {
  Json object = Migration({{"cluster", "demo"}, {"store", "main"}, {"to", "db"}});
  for (const Json& nonsense : {Json("text"), Json(1), Json::array(), Json{{"conditions", 3}, {"total", "many"}}}) {
    object["status"] = nonsense;
    const ParsedStorageMigration parsed = ParseStorageMigration(object);
    ASSERT_TRUE(parsed.migration.has_value());
    EXPECT_FALSE(parsed.migration->status.former_id.has_value());
    EXPECT_EQ(parsed.migration->status.total, 0);
  }
}

}  // namespace
}  // namespace holdfast::api
