// One master, replicas and sentinels, all real, on ports of their own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "tests/redis/redis_server.h"

namespace holdfast::redis_servers {

inline constexpr const char* kMasterName = "main";

struct SentinelGroupOptions {
  int replicas = 2;
  int sentinels = 3;
  bool acl = false;           // of the servers, kUser; the sentinels ask for nothing
  Parameters parameters;      // of every server: {"min-replicas-to-write", "1"}
  int down_after_ms = 1'000;  // of silence, until a sentinel takes the master for down
};

// Not thread-safe, save Url.
class SentinelGroup {
 public:
  // At return the replicas are in step and every sentinel knows the master, the replicas and the other sentinels.
  static Result<std::unique_ptr<SentinelGroup>> Start(const SentinelGroupOptions& options = {});

  // redis+sentinel://...; all sentinels.
  std::string Url(int database = 0) const;
  // servers[0] was the first master.
  std::vector<std::unique_ptr<RedisServer>>& servers() { return servers_; }
  std::vector<std::unique_ptr<RedisServer>>& sentinels() { return sentinels_; }
  // The one that the first answering sentinel names; an Error when none does.
  Result<RedisServer*> Master() const;
  // Waits until the sentinels name another master than `before` and it says so itself; 60 s.
  Result<RedisServer*> AwaitOtherMaster(const RedisServer& before) const;

 private:
  explicit SentinelGroup(SentinelGroupOptions options) : options_(std::move(options)) {}

  const SentinelGroupOptions options_;
  std::vector<std::unique_ptr<RedisServer>> servers_;
  std::vector<std::unique_ptr<RedisServer>> sentinels_;
};

}  // namespace holdfast::redis_servers
