// Five real Redis servers that keep locks, which the case may treat as it likes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/time/clock.h"
#include "service/coordination/quorum_locks.h"
#include "tests/redis/redis_server.h"

namespace holdfast::coordination {

class FiveMasters {
 public:
  static constexpr std::size_t kCount = 5;

  // Instants are those of `clock`, also where locks expire; times that something takes are real.
  explicit FiveMasters(const Clock& clock);

  redis_servers::RedisServer& server(std::size_t i) { return *servers_[i]; }
  // As a service does that has just started: with connections of its own, knowing nothing of before. Calls to one
  // server may take a second unless `options` say otherwise. On the first `count` of them.
  std::shared_ptr<Locks> Make(QuorumOptions options, std::size_t count = kCount);

 private:
  const Clock& clock_;
  std::vector<std::unique_ptr<redis_servers::RedisServer>> servers_;
};

}  // namespace holdfast::coordination
