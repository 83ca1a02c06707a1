#include "operator/sentinel/server_report.h"

#include <gtest/gtest.h>

namespace holdfast::sentinel {
namespace {

using std::chrono::seconds;

ServerReport Parsed(const std::string& text) {
  const auto report = ParseServerReport(redis::Value::String(text));
  EXPECT_TRUE(report.ok()) << text;
  return report.ok() ? *report : ServerReport();
}

// As Redis 7.0.15 says it.
constexpr char kMaster[] =
    "# Replication\r\nrole:master\r\nconnected_slaves:1\r\nmin_slaves_good_slaves:1\r\n"
    "slave0:ip=demo-cache-1.prod.svc,port=6379,state=online,offset=9000,lag=0\r\nmaster_repl_offset:9100\r\n"
    "second_repl_offset:-1\r\n";
constexpr char kReplica[] =
    "# Replication\r\nrole:slave\r\nmaster_host:demo-cache-0.prod.svc\r\nmaster_port:6379\r\nmaster_link_status:up\r\n"
    "master_last_io_seconds_ago:0\r\nmaster_sync_in_progress:0\r\nslave_read_repl_offset:9050\r\n"
    "slave_repl_offset:9040\r\nslave_priority:100\r\nmaster_repl_offset:9040\r\n";
constexpr char kOrphan[] =
    "role:slave\r\nmaster_host:demo-cache-0.prod.svc\r\nmaster_link_status:down\r\nmaster_sync_in_progress:0\r\n"
    "slave_repl_offset:9040\r\nmaster_link_down_since_seconds:7\r\n";

TEST(ServerReport, OfAMasterItsOffset) {
  const ServerReport report = Parsed(kMaster);
  EXPECT_TRUE(report.master);
  EXPECT_EQ(report.offset, 9100U);
  EXPECT_EQ(report.followers, std::vector<std::string>{"demo-cache-1.prod.svc"});
}

TEST(ServerReport, OfAReplicaWhomItFollowsAndHowFarItIs) {
  const ServerReport report = Parsed(kReplica);
  EXPECT_FALSE(report.master);
  EXPECT_EQ(report.offset, 9040U);
  EXPECT_EQ(report.priority, 100);
  EXPECT_EQ(Parsed("role:slave\r\nslave_repl_offset:1\r\nslave_priority:0\r\n").priority, kNeverMaster);
  EXPECT_EQ(report.follows, "demo-cache-0.prod.svc");
  EXPECT_TRUE(report.linked);
  EXPECT_FALSE(report.syncing);
  EXPECT_FALSE(report.unlinked.has_value());
}

TEST(ServerReport, WhatIsNoneIsRefused) {
  for (const char* text :
       {"", "role:master\r\n", "role:sentinel\r\nmaster_repl_offset:1\r\n", "role:slave\r\nslave_repl_offset:1x\r\n"}) {
    EXPECT_FALSE(ParseServerReport(redis::Value::String(text)).ok()) << text;
  }
  EXPECT_FALSE(ParseServerReport(redis::Value::Integer(1)).ok());
}

TEST(ServerReport, InStepMeansLinkedToThisMasterAndClose) {
  const ServerReport master = Parsed(kMaster);
  const ServerReport replica = Parsed(kReplica);
  EXPECT_TRUE(IsInStep(replica, "demo-cache-0.prod.svc", master, 60));
  EXPECT_FALSE(IsInStep(replica, "demo-cache-0.prod.svc", master, 59)) << "too far behind";
  EXPECT_FALSE(IsInStep(replica, "demo-cache-2.prod.svc", master, 60)) << "another master's";
  EXPECT_FALSE(IsInStep(Parsed(kOrphan), "demo-cache-0.prod.svc", master, 60));
  EXPECT_FALSE(IsInStep(replica, "demo-cache-0.prod.svc", replica, 60)) << "it is no master";
  ServerReport syncing = replica;
  syncing.syncing = true;
  EXPECT_FALSE(IsInStep(syncing, "demo-cache-0.prod.svc", master, 60));
}

TEST(ServerReport, FollowedToTheEndMeansLinkedOrOnlyJustNot) {
  ServerReport orphan = Parsed(kOrphan);
  EXPECT_EQ(orphan.unlinked, seconds{7});
  EXPECT_TRUE(FollowedToTheEnd(orphan, "demo-cache-0.prod.svc", seconds{7}));
  EXPECT_FALSE(FollowedToTheEnd(orphan, "demo-cache-0.prod.svc", seconds{6}));
  EXPECT_FALSE(FollowedToTheEnd(orphan, "demo-cache-1.prod.svc", seconds{7}));
  // Started anew, it never was linked.
  orphan.unlinked.reset();
  EXPECT_FALSE(FollowedToTheEnd(orphan, "demo-cache-0.prod.svc", seconds{7}));
  EXPECT_TRUE(FollowedToTheEnd(Parsed(kReplica), "demo-cache-0.prod.svc", seconds{7}));
  EXPECT_FALSE(FollowedToTheEnd(Parsed(kMaster), "demo-cache-0.prod.svc", seconds{7}));
}

}  // namespace
}  // namespace holdfast::sentinel
