// A Redis Cluster, all of it real: masters that share the slots evenly, replicas of each, on ports of their own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "tests/redis/redis_server.h"

namespace holdfast::redis_servers {

struct RedisClusterOptions {
  int masters = 3;
  int replicas = 1;  // of each master
  bool tls = false;  // all of it; one authority
  bool acl = false;  // kUser
  bool append_only = false;
  int node_timeout_ms = 5'000;  // of silence, until a node is taken for down; a busy machine holds one up for a while
  Parameters parameters;        // of every server
};

// Not thread-safe, save Url.
class RedisCluster {
 public:
  // At return every node serves and every replica is in step. A slot that nobody serves leaves the others served.
  static Result<std::unique_ptr<RedisCluster>> Start(const RedisClusterOptions& options = {});

  // redis+cluster://...; all nodes, though one would do.
  std::string Url() const;
  // The first of them began as masters, in the order of their slots.
  std::vector<std::unique_ptr<RedisServer>>& servers() { return servers_; }
  std::filesystem::path ca_file() const { return servers_.front()->ca_file(); }
  // The master of the slot as a node says that runs and has no doubt; an Error when none does.
  Result<RedisServer*> MasterOf(std::uint16_t slot) const;
  // Waits until the slot has another master than `before`, which says so itself; 60 s.
  Result<RedisServer*> AwaitOtherMaster(std::uint16_t slot, const RedisServer& before) const;
  // Moves the slot with its keys, as redis-cli does: IMPORTING, MIGRATING, MIGRATE of a few keys at a time, NODE.
  // `midway` is called when some keys are here and some there, if there are several.
  Status MoveSlot(std::uint16_t slot, const RedisServer& from, const RedisServer& to,
                  const std::function<void()>& midway = {}) const;

 private:
  explicit RedisCluster(RedisClusterOptions options) : options_(std::move(options)) {}
  Status Form();
  // Until the condition holds for every server that runs; 60 s.
  Status AwaitAll(const std::function<bool(const RedisServer& server)>& condition, const std::string& what) const;

  const RedisClusterOptions options_;
  std::vector<std::unique_ptr<RedisServer>> servers_;
};

}  // namespace holdfast::redis_servers
