#include "operator/controllers/storagebackup/service_client.h"

#include "gtest/gtest.h"

namespace holdfast::storagebackup {
namespace {

TEST(BackupItem, IsReadFromTheServicesAnswer) {
  const auto item = ParseItem(R"({"id":"b1","created_at":"2026-11-23T06:00:00Z","kind":"incremental","parent":"b0",
    "increments":1,"entry_count":10,"size_bytes":99,"verified":true,"verified_at":"2026-11-23T06:00:05Z",
    "drill":{"at":"2026-11-23T06:01:00Z","succeeded":false,"restore_ms":5,"code":"corruption"}})");
  ASSERT_TRUE(item.has_value());
  EXPECT_EQ(item->id, "b1");
  EXPECT_EQ(item->parent, "b0");
  EXPECT_EQ(item->entries, 10);
  EXPECT_EQ(item->bytes, 99);
  EXPECT_TRUE(item->verified);
  ASSERT_TRUE(item->drill.has_value());
  EXPECT_FALSE(item->drill->succeeded);
  EXPECT_EQ(item->drill->code, "corruption");
  EXPECT_LT(*item->created, *item->verified_at);
}

TEST(BackupItem, WhatMakesNoSenseIsNone) {
  for (const char* body : {"", "[]", "{}", R"({"id":"b1"})", R"({"verified":true})", R"({"id":1,"verified":true})",
                           R"({"id":"b1","verified":"yes"})"}) {
    EXPECT_FALSE(ParseItem(body).has_value()) << body;
  }
}

TEST(BackupRunAnswer, IsReadFromTheServicesAnswer) {
  const auto run = ParseRun(R"({"run":"r1","action":"restore","backup":"b1","state":"succeeded","asked_at":"x",
    "step":"restore","bytes":50,"total_bytes":100,"restored":5,"undo":"u1","written":4,"deleted":3,"expired":2})");
  ASSERT_TRUE(run.has_value());
  EXPECT_TRUE(run->succeeded());
  EXPECT_EQ(run->backup, "b1");
  EXPECT_EQ(run->restored, 5);
  EXPECT_EQ(run->undo, "u1");
  const auto failed =
      ParseRun(R"({"run":"r1","action":"create","state":"failed","problem":{"code":"unavailable","detail":"no"}})");
  ASSERT_TRUE(failed.has_value());
  EXPECT_TRUE(failed->failed());
  EXPECT_EQ(WhyFailed(*failed), "no");
}

TEST(BackupWindow, IsReadFromTheServicesAnswer) {
  const auto window = ParseRestorable(
      R"({"items":[],"restorable":{"earliest":"2026-11-23T06:00:00Z","latest":"2026-11-23T07:00:00Z"}})");
  ASSERT_TRUE(window.has_value());
  EXPECT_TRUE(window->any);
  EXPECT_EQ(window->latest - window->earliest, std::chrono::hours{1});
  const auto none = ParseRestorable(R"({"items":[]})");
  ASSERT_TRUE(none.has_value());
  EXPECT_FALSE(none->any);
  for (const char* body :
       {"", "[]", "{}", R"({"items":1})", R"({"items":[],"restorable":{}})", R"({"items":[],"restorable":7})",
        R"({"items":[],"restorable":{"earliest":"2026-11-23T06:00:00Z","latest":"later"}})"}) {
    EXPECT_FALSE(ParseRestorable(body).has_value()) << body;
  }
}

TEST(BackupRunAnswer, WhatMakesNoSenseIsNone) {
  for (const char* body : {"", "[]", "{}", R"({"run":"r1","action":"create","state":"done"})",
                           R"({"run":"","action":"create","state":"failed"})", R"({"run":"r1","state":"failed"})"}) {
    EXPECT_FALSE(ParseRun(body).has_value()) << body;
  }
}

TEST(BackupProgress, IsInTenths) {
  storagebackup::Run run{
      .id = "r", .action = "create", .state = "running", .step = "write", .done_bytes = 57, .total_bytes = 100};
  EXPECT_EQ(ProgressOf(run), "the service is at its step write, 50 %");
  run.done_bytes = 58;
  EXPECT_EQ(ProgressOf(run), "the service is at its step write, 50 %");
  run.total_bytes = 0;
  EXPECT_EQ(ProgressOf(run), "the service is at its step write");
}

}  // namespace
}  // namespace holdfast::storagebackup
