#include "operator/backup/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/time/duration.h"

namespace holdfast::backup {
namespace {

// Of pgBackRest 2.45, shortened.
constexpr char kInfo[] = R"([{"archive":[
    {"database":{"id":1,"repo-key":1},"id":"15-1","max":"00000001000000000000000A","min":"000000010000000000000002"}],
  "backup":[
    {"annotation":{"holdfast-tick":"2026-11-22T01:30:00Z"},"error":false,"label":"20261122-013010F","type":"full",
     "info":{"repository":{"delta":3000000,"size":3000000}},"timestamp":{"start":1795311010,"stop":1795311070}},
    {"error":true,"label":"20261122-013010F_20261123-013000D","type":"diff",
     "timestamp":{"start":1795397400,"stop":1795397410}},
    {"error":false,"label":"20261122-013010F_20261124-013000D","type":"diff",
     "timestamp":{"start":1795483800,"stop":1795483810}}],
  "db":[{"id":1,"repo-key":1,"system-id":7,"version":"15"}],"name":"main","status":{"code":0,"message":"ok"}}])";

std::string Said(const std::string& more) {
  return std::string(R"({"running":null,"attempts":{},)").append(more).append("}");
}

TEST(BackupReportTest, BackupsAreRead) {
  std::string info = R"("info":)";
  info.append(kInfo);
  const Report report = ParseReport(Said(info)).value();
  EXPECT_TRUE(report.stanza);
  EXPECT_EQ(report.newest_segment, "00000001000000000000000A");
  ASSERT_EQ(report.backups.size(), 2u) << "one with damaged pages is none to rely on";
  EXPECT_EQ(report.backups[0].type, "full");
  EXPECT_EQ(report.backups[0].tick, ParseTimestamp("2026-11-22T01:30:00Z").value());
  EXPECT_EQ(report.backups[0].stop, Timestamp{std::chrono::seconds{1795311070}});
  EXPECT_EQ(report.backups[0].bytes, 3'000'000);
  EXPECT_EQ(report.backups[1].tick, std::nullopt);
  EXPECT_FALSE(report.running);
}

TEST(BackupReportTest, TheRoomOfAVolumeIsReadAndAnObjectStoreHasNone) {
  const Report report = ParseReport(Said(R"("info":[],"room":{"size":1000,"free":10})")).value();
  ASSERT_TRUE(report.room);
  EXPECT_EQ(report.room->size, 1000);
  EXPECT_EQ(report.room->free, 10);
  EXPECT_FALSE(ParseReport(Said(R"("info":[])")).value().room);
}

TEST(BackupReportTest, AStanzaThatIsMissingIsListedWithoutDatabase) {
  const Report report =
      ParseReport(Said(R"("info":[{"archive":[],"backup":[],"db":[],"name":"main","status":{"code":1}}])")).value();
  EXPECT_FALSE(report.stanza);
}

TEST(BackupReportTest, AttemptsAreRead) {
  const Report report = ParseReport(R"({"info":[],"running":{"command":"backup"},"attempts":{
      "stanza-create":{"started":"2026-11-22T01:00:00Z","ended":"2026-11-22T01:00:03Z","ok":true,"failures":0},
      "backup":{"type":"full","started":"2026-11-22T01:30:00Z","ended":null,"ok":null,"failures":2}}})")
                            .value();
  EXPECT_TRUE(report.running);
  ASSERT_TRUE(report.stanza_create && report.backup);
  EXPECT_FALSE(report.stanza_create->Failed());
  EXPECT_EQ(report.backup->ended, std::nullopt);
  EXPECT_FALSE(report.backup->Failed());
  EXPECT_EQ(report.backup->failures, 2);
}

TEST(BackupReportTest, WhatIsNoneIsRefused) {
  for (const char* body : {"", "[]", "{}", R"({"message":"RuntimeError"})"}) {
    EXPECT_FALSE(ParseReport(body).ok()) << body;
    EXPECT_FALSE(ParseArchiver(body).ok()) << body;
  }
  EXPECT_FALSE(ParseArchiver(R"({"archiver":null})").ok());
}

TEST(BackupReportTest, AnArchiverIsRead) {
  const Archiver archiver =
      ParseArchiver(R"({"archiver":{"failing":true,"failed_count":4,"last_failed_wal":"0001","waiting":3}})").value();
  EXPECT_TRUE(archiver.failing);
  EXPECT_EQ(archiver.failures, 4);
  EXPECT_EQ(archiver.segment, "0001");
  EXPECT_EQ(archiver.waiting, 3);
}

}  // namespace
}  // namespace holdfast::backup
