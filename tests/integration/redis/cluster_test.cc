// The service over a Redis Cluster of three masters with a replica each.
#include <fmt/format.h>

#include <algorithm>

#include "tests/integration/redis/cluster_service.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using testing::HasSubstr;

const std::string kStore = "/v1/stores/main";

class RedisClusterService : public ClusterServiceTest {
 protected:
  RedisClusterService() : ClusterServiceTest(Patient()) {}
  // Nothing fails here, and a busy machine is not taken for dead.
  static redis_servers::RedisClusterOptions Patient() {
    redis_servers::RedisClusterOptions options;
    options.acl = true;
    options.node_timeout_ms = 30'000;
    return options;
  }
  static void PutMany(Service& service, const std::string& prefix, int count) {
    nlohmann::json operations = nlohmann::json::array();
    for (int i = 0; i < count; ++i) {
      operations.push_back({{"op", "put"}, {"key", fmt::format("{}{:04}", prefix, i)}, {"value", std::to_string(i)}});
    }
    const nlohmann::json answer =
        service.Json("POST", kStore + "/batch", nlohmann::json{{"operations", operations}}.dump());
    for (const auto& result : answer.at("results")) EXPECT_EQ(result.at("status"), 201) << result;
  }
  // Two keys that lie in different parts, since a transaction over both is refused.
  static std::string KeyApartFrom(Service& service, const std::string& key) {
    for (int i = 0; i < 100; ++i) {
      const std::string other = fmt::format("apart{}", i);
      const std::string body =
          nlohmann::json{{"if", {{{"key", key}, {"value", "never"}}}}, {"then", {{{"op", "get"}, {"key", other}}}}}
              .dump();
      if (service.Send("POST", kStore + "/transaction", {{"Content-Type", "application/json"}}, body).status == 501) {
        return other;
      }
    }
    ADD_FAILURE() << "no key lies apart from " << key;
    return "";
  }
};

TEST_F(RedisClusterService, redis_cluster_a_batch_of_100_is_spread_over_all_masters_and_answered_in_order) {
  Service service = Start();
  PutMany(service, "k", 100);
  for (const redis_servers::RedisServer* master : Masters()) {
    // A row, its index and more each; the third part of a hundred, give or take.
    const int rows = std::stoi(master->Cli({"EVAL", "return #redis.call('KEYS', '*}:e:*')", "0"}).value());
    EXPECT_GT(rows, 10) << master->port();
    EXPECT_LT(rows, 60) << master->port();
  }
  nlohmann::json operations = nlohmann::json::array();
  for (int i = 99; i >= 0; --i) operations.push_back({{"op", "get"}, {"key", fmt::format("k{:04}", i)}});
  const nlohmann::json results =
      service.Json("POST", kStore + "/batch", nlohmann::json{{"operations", operations}}.dump()).at("results");
  ASSERT_EQ(results.size(), 100u);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(results.at(static_cast<std::size_t>(i)).at("value"), std::to_string(99 - i)) << i;
  }
}

TEST_F(RedisClusterService, redis_cluster_transactions_work_within_a_part_and_are_501_over_several) {
  Service service = Start();
  EXPECT_EQ(service.Json("GET", kStore).at("capabilities").at("transactions_span_keys"), false);
  const auto transact = [&](const std::string& first, const std::string& second) {
    const nlohmann::json body = {
        {"if", {{{"key", first}, {"exists", false}}}},
        {"then", {{{"op", "put"}, {"key", first}, {"value", "1"}}, {{"op", "put"}, {"key", second}, {"value", "2"}}}},
        {"else", {{{"op", "get"}, {"key", second}}}}};
    return service.Send("POST", kStore + "/transaction", {{"Content-Type", "application/json"}}, body.dump());
  };
  const auto first = transact("{order}/1", "{order}/2");
  ASSERT_EQ(first.status, 200) << first.body;
  EXPECT_EQ(nlohmann::json::parse(first.body).at("committed"), true);
  const auto second = transact("{order}/1", "{order}/2");
  EXPECT_EQ(nlohmann::json::parse(second.body).at("committed"), false);
  EXPECT_EQ(nlohmann::json::parse(second.body).at("results").at(0).at("value"), "2");

  const std::string apart = KeyApartFrom(service, "here");
  const auto refused = transact("here", apart);
  EXPECT_EQ(refused.status, 501) << refused.body;
  EXPECT_EQ(CodeOf(refused), "not_supported");
  EXPECT_THAT(refused.body, HasSubstr("{tag}"));
  EXPECT_THAT(refused.body, HasSubstr("cluster_spread"));
  EXPECT_EQ(service.Json("GET", kStore + "/count?prefix=").at("count"), 2);
}

TEST_F(RedisClusterService, redis_cluster_lists_of_all_masters_are_in_order_in_both_directions) {
  Service service = Start();
  PutMany(service, "k", 500);
  for (const std::string order : {"asc", "desc"}) {
    std::vector<std::string> seen;
    std::string cursor;
    for (bool complete = false; !complete;) {
      const nlohmann::json page =
          service.Json("GET", fmt::format("{}/keys?prefix=k&limit=37&order={}{}", kStore, order,
                                          cursor.empty() ? "" : "&cursor=" + http::PercentEncode(cursor)));
      for (const auto& item : page.at("items")) seen.push_back(item.at("key"));
      complete = page.at("complete");
      if (!complete) cursor = page.at("cursor");
    }
    if (order == "desc") std::reverse(seen.begin(), seen.end());
    ASSERT_EQ(seen.size(), 500u) << order;
    for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], fmt::format("k{:04}", i));
  }
  EXPECT_EQ(service.Json("DELETE", kStore + "/keys?prefix=k").at("deleted"), 500);
}

// The keys of the events of a watch that ends with its Holdfast-Timeout, and the position behind each.
std::vector<std::pair<std::string, std::string>> EventsSince(Service& service, const std::string& position) {
  const auto stream =
      service.Send("GET", kStore + "/watch?prefix=w", {{"Last-Event-ID", position}, {"Holdfast-Timeout", "1s"}});
  EXPECT_EQ(stream.status, 200) << stream.body;
  std::vector<std::pair<std::string, std::string>> events;
  std::istringstream lines(stream.body);
  std::string id;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("id: ")) id = line.substr(4);
    if (line.starts_with("data: ")) events.emplace_back(nlohmann::json::parse(line.substr(6)).at("key"), id);
    EXPECT_THAT(line, testing::Not(HasSubstr("compacted")));
  }
  return events;
}

TEST_F(RedisClusterService, redis_cluster_a_watch_over_all_masters_resumes_without_gap_or_repetition) {
  Service writer = Start();
  Service watcher = StartSecond();
  const nlohmann::json before = watcher.Json("GET", kStore + "/watch?prefix=w&wait=0");
  constexpr int kKeys = 60;
  for (int i = 0; i < kKeys; ++i) {
    Service& at = i % 2 == 0 ? writer : watcher;
    EXPECT_EQ(Put(at, fmt::format("w{:04}", i), "1").status, 201);
  }
  std::vector<std::pair<std::string, std::string>> all;
  // What another instance wrote comes a moment later.
  EXPECT_TRUE(Eventually([&] {
    all = EventsSince(watcher, before.at("position"));
    return all.size() >= kKeys;
  })) << all.size();
  std::set<std::string> keys;
  for (const auto& [key, position] : all) keys.insert(key);
  EXPECT_EQ(all.size(), std::size_t{kKeys});
  EXPECT_EQ(keys.size(), std::size_t{kKeys});
  const auto rest = EventsSince(watcher, all[20].second);
  EXPECT_EQ(rest, decltype(all)(all.begin() + 21, all.end()));
}

TEST_F(RedisClusterService, redis_cluster_a_lock_fences_the_writes_of_its_part_and_others_are_501) {
  Service service = Start();
  const std::string lock = kStore + "/locks/%7Bjob%7D";
  const auto fenced = [&](const nlohmann::json& grant, const std::string& key) {
    return service.Send("PUT", KeyPath(key),
                        {{"Holdfast-Fence", fmt::format("%7Bjob%7D={}", grant.at("token").get<std::uint64_t>())}}, "v");
  };
  const nlohmann::json first = service.Json("POST", lock, R"({"owner":"one","ttl":"1h"})");
  EXPECT_EQ(fenced(first, "%7Bjob%7D/out").status, 201);
  EXPECT_EQ(service.Send("POST", lock, {}, R"({"owner":"two","ttl":"1h"})").status, 409);
  const std::string apart = KeyApartFrom(service, "{job}");
  const auto refused = fenced(first, apart);
  EXPECT_EQ(refused.status, 501) << refused.body;
  EXPECT_EQ(CodeOf(refused), "not_supported");
  EXPECT_EQ(service.Send("GET", KeyPath(apart)).status, 404);
  EXPECT_EQ(service.Send("DELETE", lock + "?lease=" + first.at("lease").get<std::string>()).status, 204);
  const nlohmann::json second = service.Json("POST", lock, R"({"owner":"two","ttl":"1h"})");
  EXPECT_GT(second.at("token"), first.at("token"));
  EXPECT_EQ(fenced(first, "%7Bjob%7D/out").status, 412);
  EXPECT_EQ(fenced(second, "%7Bjob%7D/out").status, 204);
}

// Requests that carry `text` wherever a client can put bytes. A tag may hold no control characters, and is refused with
// them; without them it goes in.
void SendEverywhere(Service& service, const std::string& text, const std::string& suffix) {
  const std::string name = http::PercentEncode(text + suffix);
  std::string tag = text;
  std::replace_if(
      tag.begin(), tag.end(), [](char c) { return c < ' '; }, '_');
  const auto put = [&](const std::string& tagged) {
    const nlohmann::json operation = {{"op", "put"},           {"key", text + suffix},       {"value", text},
                                      {"content_type", "a/b"}, {"metadata", {{text, text}}}, {"tags", {tagged, "eu"}}};
    return service.Send("POST", kStore + "/batch", {{"Content-Type", "application/json"}},
                        nlohmann::json{{"operations", {operation}}}.dump());
  };
  if (tag != text) {
    EXPECT_THAT(put(text).body, HasSubstr("control characters"));
  }
  const auto stored = put(tag);
  EXPECT_THAT(stored.body, HasSubstr(R"("status":201)"));
  EXPECT_EQ(service.Send("GET", kStore + "/keys/" + name).body, text);
  EXPECT_EQ(service.Json("GET", kStore + "/count?prefix=" + name).at("count"), 1) << text;
  const nlohmann::json found = service.Json(
      "GET", kStore + "/keys?filter=" + http::PercentEncode(fmt::format("tags has {}", nlohmann::json(tag).dump())));
  ASSERT_EQ(found.value("items", nlohmann::json::array()).size(), 1u) << found;
  EXPECT_EQ(found.at("items").at(0).at("metadata").at(text), text);
  EXPECT_EQ(service.Send("POST", kStore + "/channels/" + name, {}, text).status, 202);
  const nlohmann::json owner = {{"owner", text}, {"ttl", "1h"}};
  const nlohmann::json grant = service.Json("POST", kStore + "/locks/" + name, owner.dump());
  EXPECT_EQ(service.Json("GET", kStore + "/locks/" + name).value("holder", ""), text);
  EXPECT_EQ(service.Send("DELETE", kStore + "/locks/" + name + "?lease=" + grant.value("lease", "")).status, 204);
  EXPECT_EQ(service.Send("GET", kStore + "/watch?wait=0&prefix=" + name).status, 200);
  EXPECT_EQ(service.Send("DELETE", kStore + "/keys/" + name).status, 204);
}

TEST_F(RedisClusterService, redis_cluster_protocol_in_keys_channels_metadata_and_tags_runs_no_other_command) {
  Service service = Start();
  ASSERT_EQ(Put(service, "canary", "1").status, 201);
  // What harmless words make the servers do is what any words may.
  ResetCommands();
  for (const std::string suffix : {"a", "b", "c", "d", "e", "f", "g", "h"}) SendEverywhere(service, "harmless", suffix);
  std::set<std::string> expected = Commands();
  // Now and then, from the service, the probes and the other nodes.
  expected.insert({"info", "config|get", "config|resetstat", "ping", "replconf", "psync", "cluster|info",
                   "cluster|slots", "script|load", "auth", "hello", "select"});
  EXPECT_TRUE(expected.contains("evalsha"));
  ResetCommands();
  const std::vector<std::string> corpus = {"\r\nFLUSHALL\r\n",
                                           "\r\n*1\r\n$8\r\nFLUSHALL\r\n",
                                           "$-1\r\n*3\r\n$7\r\nPUBLISH\r\n$1\r\na\r\n$1\r\nb\r\n",
                                           "x\r\n+OK\r\n:1\r\n-ERR\r\n",
                                           "\nNOSUCHCOMMAND 1\n",
                                           "\r\nCONFIG SET maxmemory 1\r\nSHUTDOWN NOSAVE\r\n",
                                           "]] redis.call('FLUSHALL') --[[",
                                           "' .. redis.call('FLUSHALL') .. '",
                                           "{1}\r\nFLUSHALL\r\n",
                                           "\\r\\nFLUSHALL"};
  for (const std::string& text : corpus) SendEverywhere(service, text, "");
  for (const std::string& command : Commands()) EXPECT_TRUE(expected.contains(command)) << command;
  EXPECT_EQ(service.Send("GET", KeyPath("canary")).body, "1");
  EXPECT_EQ(Everything(service).size(), 1u);
  // All that stands there is the backend's own.
  for (const redis_servers::RedisServer* master : Masters()) {
    EXPECT_EQ(master->Cli({"EVAL", "return #redis.call('KEYS', 'holdfast:*')", "0"}).value(),
              master->Cli({"DBSIZE"}).value());
  }
  // The commands of the corpus would have shown.
  ASSERT_TRUE(Masters().front()->Cli({"PUBLISH", "a", "b"}).ok());
  EXPECT_FALSE(Masters().front()->Cli({"NOSUCHCOMMAND"}).ok());
  EXPECT_TRUE(Commands().contains("publish"));
  EXPECT_TRUE(Commands().contains("errorstat_ERR"));
}

}  // namespace
}  // namespace holdfast
