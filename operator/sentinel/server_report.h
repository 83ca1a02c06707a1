// What one Redis server says of its replication, and whether it would lose little as the master. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/redis/value.h"
#include "base/result/result.h"

namespace holdfast::sentinel {

// Of a replica (replica-priority); with 0 no sentinel makes it the master.
inline constexpr std::int64_t kUsualPriority = 100;
inline constexpr std::int64_t kNeverMaster = 0;

struct ServerReport {
  bool master = false;
  std::uint64_t offset = 0;  // bytes of the replication stream, written (a master's) or processed (a replica's)
  std::vector<std::string> followers = {};  // of a master: hosts
  // Of a replica.
  std::int64_t priority = kUsualPriority;
  std::string follows = {};  // the host of its master
  bool linked = false;
  bool syncing = false;                                         // copies everything, or waits for that
  std::optional<std::chrono::seconds> unlinked = std::nullopt;  // since when; nothing: linked, or it never was
};

// Of the answer to INFO replication (Redis 7.0). kCorruption when it is none.
Result<ServerReport> ParseServerReport(const redis::Value& info);

// It follows `master` and has what that one had when it said so, but for `close` bytes that may be on their way.
bool IsInStep(const ServerReport& replica, const std::string& master_host, const ServerReport& master,
              std::uint64_t close);

// Of a master that is gone: it followed that one until its end, give or take `max_lag`.
bool FollowedToTheEnd(const ServerReport& replica, const std::string& master_host, std::chrono::seconds max_lag);

}  // namespace holdfast::sentinel
