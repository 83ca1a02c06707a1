// Questions and commands to the servers of a Redis Cluster over TLS, one connection each. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "operator/shards/nodes.h"
#include "operator/shards/slot_transfer.h"

namespace holdfast::shards {

struct Endpoint {
  std::int64_t ordinal = 0;
  std::string address;  // of the pod, so that one just made anew is reached before the cluster's DNS knows of it
  std::uint16_t port = 0;
  std::string name;       // what its certificate is held against
  std::string authority;  // PEM
  std::string user;
  std::string password;
};

class ShardClient {
 public:
  virtual ~ShardClient() = default;
  // An error: it did not answer, or not sensibly. None holds the password.
  virtual Result<Report> Ask(const Endpoint& server, Deadline deadline) = 0;
  // An error: it refused, or nobody knows whether it did. What a command has done shows in the next Ask.
  virtual Status Tell(const Endpoint& server, const std::vector<std::string>& words, Deadline deadline) = 0;
  // See TransferSlots; `from_id` and `to_id` are what they call themselves.
  virtual Status Move(const Endpoint& from, const std::string& from_id, const Endpoint& to, const std::string& to_id,
                      const std::vector<int>& slots, const TransferLimits& limits) = 0;
};

std::shared_ptr<ShardClient> MakeShardClient();

}  // namespace holdfast::shards
