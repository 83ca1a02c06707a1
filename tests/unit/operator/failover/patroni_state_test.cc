#include "operator/failover/patroni_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/failover/patroni_client.h"
#include "operator/failover/write_path.h"

namespace holdfast::failover {
namespace {

using kube::Json;
using testing::ElementsAre;
using testing::IsEmpty;

Json Map(const Json& annotations) {
  return {{"metadata", {{"resourceVersion", "7"}, {"annotations", annotations}}}};
}

TEST(PatroniState, WhatIsMissingOrDamagedProvesNothing) {
  for (const Json& object : {Json(), Json::object(), Map(nullptr), Map({{"config", "{"}, {"leader", 3}}), Json("x")}) {
    EXPECT_EQ(HolderOf(object), "") << object;
    EXPECT_EQ(ParseSync(object).leader, "") << object;
    EXPECT_THAT(ParseSync(object).standbys, IsEmpty()) << object;
    const PatroniConfig config = ParseConfig(object);
    EXPECT_FALSE(config.initialized || config.synchronous || config.paused) << object;
    EXPECT_EQ(config.loop_wait, std::chrono::seconds{10}) << object;
    EXPECT_FALSE(IsTaggedNoFailover(object)) << object;
  }
}

TEST(PatroniState, IsReadAsPatroniWritesIt) {
  const SyncState sync = ParseSync(Map({{"leader", "a"}, {"sync_standby", "b, c"}}));
  EXPECT_EQ(sync.leader, "a");
  EXPECT_THAT(sync.standbys, ElementsAre("b", "c"));
  const PatroniConfig config = ParseConfig(
      Map({{"initialize", "71"}, {"config", R"({"synchronous_mode":true,"pause":true,"loop_wait":3,"ttl":20})"}}));
  EXPECT_TRUE(config.initialized && config.synchronous && config.paused);
  EXPECT_EQ(config.loop_wait, std::chrono::seconds{3});
  EXPECT_EQ(config.ttl, std::chrono::seconds{20});
  EXPECT_TRUE(IsTaggedNoFailover(Map({{"status", R"({"state":"running","tags":{"nofailover":true}})"}})));
}

TEST(PatroniState, TheLockIsClearedInTheVersionThatWasRead) {
  EXPECT_EQ(ClearLockPatch(Map({{"leader", "a"}})),
            Json::parse(R"({"metadata":{"resourceVersion":"7","annotations":{"leader":null}}})"));
}

TEST(PatroniState, TlsIsWholeOrNotThere) {
  Json secret = {{"data", {{"ca.crt", "YQ=="}, {"tls.crt", "Yg=="}, {"tls.key", "Yw=="}}}};
  const auto tls = ParseTls(secret);
  ASSERT_NE(tls, nullptr);
  EXPECT_EQ(tls->authority + tls->certificate + tls->key, "abc");
  EXPECT_EQ(Scope({"prod", "demo", "db"}).HostOf("demo-db-1"), "demo-db-1.demo-db-pods.prod.svc");
  secret["data"]["tls.key"] = "?";
  EXPECT_EQ(ParseTls(secret), nullptr);
  EXPECT_EQ(ParseTls(Json()), nullptr);
}

TEST(PatroniReport, TellsStateAndPosition) {
  const auto primary = ParseReport(
      R"({"state":"running","role":"master","timeline":3,"xlog":{"location":67419584},"server_version":150000})");
  ASSERT_TRUE(primary.ok());
  EXPECT_TRUE(primary->Serves());
  EXPECT_EQ(primary->timeline, 3);
  EXPECT_EQ(primary->received, 67419584U);
  const auto with_standbys = ParseReport(
      R"({"state":"running","role":"master","replication":[{"application_name":"db-1","state":"streaming"},)"
      R"({"application_name":"db-2","state":"catchup"},{"application_name":"pg_basebackup","state":"backup"},7]})");
  ASSERT_TRUE(with_standbys.ok());
  EXPECT_EQ(with_standbys->streaming, std::vector<std::string>{"db-1"});
  const auto standby = ParseReport(
      R"({"state":"running","role":"replica","timeline":3,"xlog":{"received_location":90,"replayed_location":80}})");
  ASSERT_TRUE(standby.ok());
  EXPECT_FALSE(standby->primary);
  EXPECT_EQ(standby->received, 90U);
  const auto down = ParseReport(R"({"state":"unknown","role":"master","timeline":null,"xlog":7})");
  ASSERT_TRUE(down.ok());
  EXPECT_FALSE(down->Serves());
  for (const char* body : {"", "[]", "{}", "{\"state\":3}", "<html>"}) {
    EXPECT_EQ(ParseReport(body).error().code(), ErrorCode::kCorruption) << body;
  }
}

TEST(WritePathReport, IsOfTheBackendAskedFor) {
  const std::string body = R"({"status":"degraded","backends":[{"name":"db","status":"unhealthy","error":"x"},)"
                           R"({"name":"local","status":"healthy"}]})";
  EXPECT_EQ(ParseHealth(body, "db"), WritePath::kStuck);
  EXPECT_EQ(ParseHealth(body, "local"), WritePath::kWorks);
  EXPECT_EQ(ParseHealth(body, "other"), WritePath::kUnknown);
  for (const char* damaged : {"", "{}", "{\"backends\":[3]}", "{\"backends\":[{\"name\":\"db\"}]}"}) {
    EXPECT_EQ(ParseHealth(damaged, "db"), WritePath::kUnknown) << damaged;
  }
}

}  // namespace
}  // namespace holdfast::failover
