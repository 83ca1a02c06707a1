#include "base/redis/url.h"

#include <gtest/gtest.h>

namespace holdfast::redis {
namespace {

Target Parsed(std::string_view url) {
  const Result<Target> target = ParseUrl(url);
  EXPECT_TRUE(target.ok()) << url << ": " << (target.ok() ? "" : target.error().message());
  return target.ok() ? *target : Target();
}

std::string Refusal(std::string_view url) {
  const Result<Target> target = ParseUrl(url, "redis_url");
  if (target.ok()) return "accepted";
  EXPECT_EQ(target.error().code(), ErrorCode::kInvalidArgument);
  return target.error().message();
}

TEST(RedisUrl, HasDefaults) {
  const Target target = Parsed("redis://cache");
  EXPECT_EQ(target.addresses.at(0).ToString(), "cache:6379");
  EXPECT_EQ(target.database, 0);
  EXPECT_FALSE(target.tls);
  EXPECT_TRUE(target.user.empty());
  EXPECT_TRUE(target.password.empty());
  EXPECT_EQ(target.topology, Target::Topology::kStandalone);
}

TEST(RedisUrl, NamesEveryPart) {
  const Target target = Parsed("rediss://anna:p%40ss%2Fw%3Ard@redis.example.org:7000/12");
  EXPECT_TRUE(target.tls);
  EXPECT_EQ(target.user, "anna");
  EXPECT_EQ(target.password, "p@ss/w:rd");
  EXPECT_EQ(target.addresses.at(0).ToString(), "redis.example.org:7000");
  EXPECT_EQ(target.database, 12);
}

TEST(RedisUrl, PasswordWithoutUserIsTheDefaultUsers) {
  const Target target = Parsed("redis://:secret@cache/");
  EXPECT_TRUE(target.user.empty());
  EXPECT_EQ(target.password, "secret");
}

TEST(RedisUrl, IpVersionSixStandsInBrackets) {
  const Target target = Parsed("redis://[fe80::1]:6380/3");
  EXPECT_EQ(target.addresses.at(0).host, "fe80::1");
  EXPECT_EQ(target.addresses.at(0).ToString(), "[fe80::1]:6380");
}

TEST(RedisUrl, UnixSockets) {
  const Target target = Parsed("unix://:secret@/run/redis%20a/redis.sock?db=4");
  EXPECT_EQ(target.addresses.at(0).unix_path, "/run/redis a/redis.sock");
  EXPECT_EQ(target.addresses.at(0).ToString(), "unix:/run/redis a/redis.sock");
  EXPECT_EQ(target.database, 4);
  EXPECT_EQ(target.password, "secret");
  EXPECT_EQ(Parsed("redis+unix:///run/r.sock").addresses.at(0).unix_path, "/run/r.sock");
}

TEST(RedisUrl, Sentinels) {
  const Target target = Parsed("redis+sentinel://u:p@one,two:7001,[::3]:7002/main/5");
  EXPECT_EQ(target.topology, Target::Topology::kSentinel);
  ASSERT_EQ(target.addresses.size(), 3u);
  EXPECT_EQ(target.addresses[0].ToString(), "one:26379");
  EXPECT_EQ(target.addresses[1].ToString(), "two:7001");
  EXPECT_EQ(target.addresses[2].ToString(), "[::3]:7002");
  EXPECT_EQ(target.master, "main");
  EXPECT_EQ(target.database, 5);
  EXPECT_EQ(target.user, "u");
  EXPECT_TRUE(Parsed("rediss+sentinel://one/main").tls);
}

TEST(RedisUrl, Clusters) {
  const Target target = Parsed("redis+cluster://u:p@one,two:7001,[::3]:7002/");
  EXPECT_EQ(target.topology, Target::Topology::kCluster);
  ASSERT_EQ(target.addresses.size(), 3u);
  EXPECT_EQ(target.addresses[0].ToString(), "one:6379");
  EXPECT_EQ(target.addresses[2].ToString(), "[::3]:7002");
  EXPECT_EQ(target.user, "u");
  EXPECT_EQ(Parsed("redis+cluster://one/0").database, 0);
  EXPECT_TRUE(Parsed("rediss+cluster://one").tls);
}

TEST(RedisUrl, RefusalsNameFieldAndPart) {
  const struct {
    const char* url;
    const char* says;
  } cases[] = {
      {"", "must begin with redis://"},
      {"http://cache", "must begin with redis://"},
      {"redis://", "names no host"},
      {"redis://:0", "names no host"},
      {"redis://cache:0", "port"},
      {"redis://cache:65536", "port"},
      {"redis://cache:", "port"},
      {"redis://cache/x", "database"},
      {"redis://cache/-1", "database"},
      {"redis://cache/1/2", "database"},
      {"redis://cache/99999999999", "database"},
      {"redis://cache?db=1", "query"},
      {"redis://cache#1", "'#'"},
      {"redis://a,b", "several hosts"},
      {"redis://anna@cache", "user without a password"},
      {"redis://a:%4@cache", "password"},
      {"redis://a:%00@cache", "zero byte"},
      {"redis://[::1", "']'"},
      {"redis://[::1]x:1", "']'"},
      {"redis://ca\r\nche", "control character"},
      {"redis://c%20he", "character that no host has"},
      {"unix://run/redis.sock", "three slashes"},
      {"unix:///", "names no socket"},
      {"unix:///run/r.sock?timeout=1", "?db=NUMBER"},
      {"redis+sentinel://one,two", "names no master"},
      {"redis+sentinel://one,,two/main", "names no host"},
      {"redis+sentinel://one/main/x", "database"},
      {"redis+cluster://one/1", "has only 0"},
      {"redis+cluster://one/x", "database"},
      {"redis+cluster://one,,two", "names no host"},
      {"redis+cluster://one?db=0", "query"},
  };
  for (const auto& each : cases) {
    const std::string message = Refusal(each.url);
    EXPECT_TRUE(message.starts_with("redis_url ")) << each.url << ": " << message;
    EXPECT_NE(message.find(each.says), std::string::npos) << each.url << ": " << message;
  }
  EXPECT_NE(Refusal("redis://" + std::string(kMaxUrlSize, 'a')).find("more than 8192 bytes"), std::string::npos);
}

TEST(RedisUrl, RefusalsQuoteNoSecret) {
  for (const char* url : {"redis://u:hunter2@cache:x", "redis://u:hunter2%@cache", "redis://hunter2@cache",
                          "redis+sentinel://u:hunter2@one", "hunter2://cache", "unix://u:hunter2@rel/x"}) {
    EXPECT_EQ(Refusal(url).find("hunter2"), std::string::npos) << url;
  }
}

}  // namespace
}  // namespace holdfast::redis
