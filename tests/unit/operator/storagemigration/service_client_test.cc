#include "operator/controllers/storagemigration/service_client.h"

#include "gtest/gtest.h"

namespace holdfast::storagemigration {
namespace {

TEST(MigrationReport, IsReadFromTheServicesAnswer) {
  const auto report = ParseReport(R"({"phase":"verified","pending":false,"id":"9c1e","total":10,"copied":9,
    "compared":8,"differences":1,"missed_writes":0,"instances":2})");
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->phase, "verified");
  EXPECT_FALSE(report->pending);
  EXPECT_EQ(report->id, "9c1e");
  EXPECT_EQ(report->total, 10);
  EXPECT_EQ(report->copied, 9);
  EXPECT_EQ(report->compared, 8);
  EXPECT_EQ(report->differences, 1);
  EXPECT_EQ(report->instances, 2);
}

TEST(MigrationReport, WhatMakesNoSenseIsNone) {
  for (const char* body : {"", "[]", "{}", R"({"phase":"verified"})",
                           R"({"phase":1,"pending":false,"id":"","total":1,"copied":1,"compared":1,"differences":1,
                               "instances":1})",
                           R"({"phase":"idle","pending":false,"id":"","total":"1","copied":1,"compared":1,
                               "differences":1,"instances":1})"}) {
    EXPECT_FALSE(ParseReport(body).has_value()) << body;
  }
}

}  // namespace
}  // namespace holdfast::storagemigration
