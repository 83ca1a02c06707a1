// Questions to sentinels and to the servers they watch, and the few orders that they get; over TLS, one connection
// each. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "operator/sentinel/server_report.h"
#include "operator/sentinel/view.h"

namespace holdfast::sentinel {

struct Endpoint {
  std::string address;  // of the pod, so that one just made anew is reached before the cluster's DNS knows of it
  std::uint16_t port = 0;
  std::string name;       // what its certificate is held against
  std::string authority;  // PEM
  std::string user;
  std::string password;
};

// No error holds the password.
class SentinelClient {
 public:
  virtual ~SentinelClient() = default;
  // An error: it did not answer, or not sensibly.
  virtual Result<Report> Ask(const Endpoint& sentinel, const std::string& master_name, Deadline deadline) = 0;
  virtual Result<ServerReport> AskServer(const Endpoint& server, Deadline deadline) = 0;
  // SENTINEL FAILOVER. Ok: it has begun. kOutcomeUnknown: it may have; any other error: it has not.
  virtual Status Failover(const Endpoint& sentinel, const std::string& master_name, Deadline deadline) = 0;
  // SENTINEL RESET: it forgets all replicas and other sentinels, and finds those again that are there: replicas within
  // ten seconds, in what the master says, sentinels within two. A failover that it has begun ends.
  virtual Status Reset(const Endpoint& sentinel, const std::string& master_name, Deadline deadline) = 0;
  // CONFIG SET replica-priority; holds until the server starts anew.
  virtual Status SetPriority(const Endpoint& server, std::int64_t priority, Deadline deadline) = 0;
};

std::shared_ptr<SentinelClient> MakeSentinelClient();

}  // namespace holdfast::sentinel
