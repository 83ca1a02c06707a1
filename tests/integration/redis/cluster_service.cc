#include "tests/integration/redis/cluster_service.h"

#include <sstream>

namespace holdfast {

std::vector<redis_servers::RedisServer*> ClusterServiceTest::Masters() {
  std::vector<redis_servers::RedisServer*> masters;
  for (std::size_t i = 0; i < 3; ++i) masters.push_back(cluster_->servers()[i].get());
  return masters;
}

std::set<std::string> ClusterServiceTest::Commands() {
  constexpr std::string_view kCommand = "cmdstat_";
  std::set<std::string> names;
  for (const auto& server : cluster_->servers()) {
    for (const char* section : {"commandstats", "errorstats"}) {
      std::istringstream lines(server->Cli({"INFO", section}).value());
      for (std::string line; std::getline(lines, line);) {
        const std::string name = line.substr(0, line.find(':'));
        if (name.starts_with(kCommand)) names.insert(name.substr(kCommand.size()));
        if (name.starts_with("errorstat_")) names.insert(name);
      }
    }
  }
  return names;
}

void ClusterServiceTest::ResetCommands() {
  for (const auto& server : cluster_->servers()) ASSERT_TRUE(server->Cli({"CONFIG", "RESETSTAT"}).ok());
}

}  // namespace holdfast
