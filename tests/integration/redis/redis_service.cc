#include "tests/integration/redis/redis_service.h"

#include <fmt/format.h>

#include <sstream>

namespace holdfast {

RedisServiceTest::RedisServiceTest(const redis_servers::ServerOptions& options)
    : server_(redis_servers::RedisServer::Start(options).value()) {}

Service OverRedis::StartOver(const std::string& url, const TemporaryFolder& folder, const std::string& more) {
  return Service(folder,
                 fmt::format("redis, url: \"{}\", pool_max: 4, acquire_timeout: 1s, connect_timeout: 2s, "
                             "silence_timeout: 2s, poll_interval: 50ms{}",
                             url, more),
                 "health: {interval: 100ms, timeout: 1s}\n");
}

std::string OverRedis::KeyPath(const std::string& encoded) {
  return fmt::format("/v1/stores/main/keys/{}", encoded);
}

std::string OverRedis::CodeOf(const http::ClientResponse& response) {
  if (response.status / 100 == 2) return "ok";
  const auto problem = nlohmann::json::parse(response.body, nullptr, false);
  return problem.is_object() ? problem.value("code", "") : "";
}

http::ClientResponse OverRedis::Put(Service& service, const std::string& key, const std::string& value) {
  return service.Send("PUT", KeyPath(key), {{"Holdfast-Timeout", "10s"}}, value);
}

WriteHistory::Entries OverRedis::Everything(Service& service) {
  const auto answer = service.Send("GET", "/v1/stores/main/keys?values=true", {{"Accept", "application/x-ndjson"}});
  EXPECT_EQ(answer.status, 200) << answer.body;
  WriteHistory::Entries entries;
  std::istringstream lines(answer.body);
  for (std::string line; std::getline(lines, line);) {
    const auto item = nlohmann::json::parse(line);
    if (item.contains("key")) entries[item.at("key")] = item.at("value");
  }
  return entries;
}

}  // namespace holdfast
