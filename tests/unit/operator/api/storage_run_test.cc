// StorageBackup and StorageRestore.
#include <fstream>
#include <set>
#include <sstream>

#include "base/config/yaml.h"
#include "gtest/gtest.h"
#include "operator/api/v1/storage_backup.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/api/v1/storage_restore.h"

namespace holdfast::api {
namespace {

Json Object(const char* kind, const Json& spec) {
  return {{"apiVersion", kApiVersion},
          {"kind", kind},
          {"metadata",
           {{"name", "one"}, {"namespace", "prod"}, {"uid", "u-1"}, {"creationTimestamp", "2026-11-22T10:00:00Z"}}},
          {"spec", spec}};
}

template <typename Parse>
void CheckCases(const char* file_name, const char* kind, std::size_t at_least, Parse parse) {
  std::ifstream file(std::string(HOLDFAST_SOURCE_DIR) + "/tests/unit/operator/api/" + file_name);
  std::ostringstream text;
  text << file.rdbuf();
  const auto cases = config::ParseYamlDocuments(text.str(), file_name);
  ASSERT_TRUE(cases.ok()) << cases.error().message();
  ASSERT_GE(cases->size(), at_least);
  for (const Json& entry : *cases) {
    SCOPED_TRACE(entry.at("case").get<std::string>());
    const Json old = entry.contains("old") ? Object(kind, entry.at("old")) : Json();
    if (!old.is_null()) {
      EXPECT_TRUE(parse(old, nullptr).errors.empty());
    }
    const auto parsed = parse(Object(kind, entry.at("spec")), old.is_null() ? nullptr : &old);
    std::set<std::string> broken;
    for (const FieldError& error : parsed.errors) broken.insert(error.path);
    EXPECT_EQ(broken, entry.at("broken").get<std::set<std::string>>()) << Summarize(parsed.errors);
  }
}

TEST(StorageBackupCases, AreAcceptedOrRefusedAtTheRightFields) {
  CheckCases("backup_cases.yaml", kStorageBackupKind, 9,
             [](const Json& object, const Json* old) { return ParseStorageBackup(object, old); });
}

TEST(StorageRestoreCases, AreAcceptedOrRefusedAtTheRightFields) {
  CheckCases("restore_cases.yaml", kStorageRestoreKind, 9,
             [](const Json& object, const Json* old) { return ParseStorageRestore(object, old); });
}

TEST(StorageBackupStatusText, ReadsBackAsItWasWritten) {
  StorageBackupStatus status;
  status.observed_generation = 1;
  status.phase = kPhaseSucceeded;
  status.message = "done";
  status.id = "b1";
  status.run = "r1";
  status.pod = "demo-0";
  status.kind = "Incremental";
  status.parent = "b0";
  status.entries = 5;
  status.bytes = 50;
  status.started = status.completed = status.verified = status.drilled = Timestamp{std::chrono::seconds{1'700'000'000}};
  Json object = Object(kStorageBackupKind, {{"cluster", "demo"}, {"store", "main"}});
  object["status"] = StatusToJson(status);
  const ParsedStorageBackup parsed = ParseStorageBackup(object);
  ASSERT_TRUE(parsed.backup.has_value());
  EXPECT_EQ(StatusToJson(parsed.backup->status), object.at("status"));
  EXPECT_EQ(parsed.backup->spec.deadline, std::chrono::hours{2});
  EXPECT_EQ(parsed.backup->metadata.uid, "u-1");
}

TEST(StorageRestoreStatusText, ReadsBackAsItWasWritten) {
  StorageRestoreStatus status;
  status.observed_generation = 1;
  status.phase = kPhaseSucceeded;
  status.message = "done";
  status.id = "b1";
  status.run = "r1";
  status.pod = "demo-0";
  status.undo = "u1";
  status.started = status.completed = Timestamp{std::chrono::seconds{1'700'000'000}};
  status.restored = 4;
  status.written = 3;
  status.deleted = 2;
  status.expired = 1;
  Json object = Object(kStorageRestoreKind, {{"cluster", "demo"}, {"store", "main"}, {"backup", "nightly"}});
  object["status"] = StatusToJson(status);
  const ParsedStorageRestore parsed = ParseStorageRestore(object);
  ASSERT_TRUE(parsed.restore.has_value());
  EXPECT_EQ(StatusToJson(parsed.restore->status), object.at("status"));
}

TEST(StorageRunStatusText, WhatMakesNoSenseCountsAsAbsent) {
  Json backup = Object(kStorageBackupKind, {{"cluster", "demo"}, {"store", "main"}});
  Json restore = Object(kStorageRestoreKind, {{"cluster", "demo"}, {"store", "main"}, {"backup", "nightly"}});
  for (const Json& nonsense : {Json("text"), Json(1), Json::array(), Json{{"conditions", 3}, {"startedAt", 1}}}) {
    backup["status"] = restore["status"] = nonsense;
    const ParsedStorageBackup parsed = ParseStorageBackup(backup);
    ASSERT_TRUE(parsed.backup.has_value());
    EXPECT_FALSE(parsed.backup->status.started.has_value());
    ASSERT_TRUE(ParseStorageRestore(restore).restore.has_value());
  }
}

}  // namespace
}  // namespace holdfast::api
