#include "service/backends/redis/server_facts.h"

#include <gmock/gmock.h>

namespace holdfast::storage::redis_backend {
namespace {

ServerFacts Facts(bool append_only, std::optional<std::string> fsync, std::string eviction = "noeviction") {
  ServerFacts facts;
  facts.append_only = append_only;
  facts.append_fsync = std::move(fsync);
  facts.eviction = std::move(eviction);
  return facts;
}

TEST(ServerFacts, AreReadFromWhatInfoSays) {
  const ServerFacts facts = FactsOf(
      "# Server\r\nredis_version:7.0.15\r\nrun_id:0123abcd\r\n\n# Persistence\r\naof_enabled:1\r\n"
      "\n# Memory\r\nmaxmemory_human:0B\r\nmaxmemory_policy:volatile-lru\r\n");
  EXPECT_EQ("0123abcd", facts.run_id);
  EXPECT_TRUE(facts.append_only);
  EXPECT_EQ("volatile-lru", facts.eviction);
  EXPECT_FALSE(FactsOf("aof_enabled:0\r\n").append_only);
  EXPECT_EQ("", FactsOf("").run_id);
}

TEST(ServerFacts, DurableAsksForAnAppendOnlyFileThatIsSyncedBeforeTheAnswer) {
  EXPECT_TRUE(CheckFacts(Facts(true, "always"), true).ok());
  EXPECT_TRUE(CheckFacts(Facts(false, "everysec"), false).ok());
  const std::vector<std::pair<ServerFacts, std::string>> refused = {
      {Facts(false, "always"), "appendonly yes"},
      {Facts(true, "everysec"), "appendfsync is everysec"},
      {Facts(true, "no"), "appendfsync is no"},
      {Facts(true, std::nullopt), "CONFIG GET"}};
  for (const auto& [facts, named] : refused) {
    const Status status = CheckFacts(facts, true);
    ASSERT_FALSE(status.ok()) << named;
    EXPECT_EQ(ErrorCode::kUnavailable, status.error().code());
    EXPECT_THAT(std::string(status.error().message()), testing::HasSubstr(named));
  }
}

TEST(ServerFacts, AnEvictionPolicyThatTakesTheIndexIsRefused) {
  for (const char* policy : {"allkeys-lru", "allkeys-lfu", "allkeys-random"}) {
    const Status status = CheckFacts(Facts(true, "always", policy), false);
    ASSERT_FALSE(status.ok()) << policy;
    EXPECT_THAT(std::string(status.error().message()), testing::HasSubstr("maxmemory-policy"));
  }
  for (const char* policy : {"noeviction", "volatile-ttl"})
    EXPECT_TRUE(CheckFacts(Facts(true, "no", policy), false).ok());
}

TEST(ServerFacts, DurabilityIsWhatTheAppendOnlyFileMakesOfIt) {
  EXPECT_EQ("sync", DurabilityOf(Facts(true, "always")));
  EXPECT_EQ("interval", DurabilityOf(Facts(true, "everysec")));
  EXPECT_EQ("interval", DurabilityOf(Facts(true, std::nullopt)));
  EXPECT_EQ("os", DurabilityOf(Facts(true, "no")));
  EXPECT_EQ("memory", DurabilityOf(Facts(false, "always")));
}

}  // namespace
}  // namespace holdfast::storage::redis_backend
