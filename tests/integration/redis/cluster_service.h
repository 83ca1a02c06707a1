// The service over a Redis Cluster of the case's own.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/redis/redis_service.h"
#include "tests/redis/redis_cluster.h"

namespace holdfast {

class ClusterServiceTest : public OverRedis {
 protected:
  explicit ClusterServiceTest(const redis_servers::RedisClusterOptions& options)
      : cluster_(redis_servers::RedisCluster::Start(options).value()) {}

  redis_servers::RedisCluster& cluster() { return *cluster_; }
  // Those that began as masters.
  std::vector<redis_servers::RedisServer*> Masters();
  Service Start() { return StartOver(cluster_->Url(), first_folder_, ""); }
  Service StartSecond() { return StartOver(cluster_->Url(), second_folder_, ""); }

  // The names of all commands that any server has run since, scripts' own among them, and as `errorstat_CODE` the codes
  // of the errors that it has answered with: what a name of no command shows as.
  std::set<std::string> Commands();
  void ResetCommands();

 private:
  const std::unique_ptr<redis_servers::RedisCluster> cluster_;
};

}  // namespace holdfast
