// Patroni's REST interface, as far as we ask it (docs/rest_api.rst of Patroni 3.0). Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "operator/failover/facts.h"

namespace holdfast::failover {

// Of a backend whose members speak TLS: its authority, and a certificate of it, which Patroni asks of whoever wants it
// to do something. PEM.
struct PatroniTls {
  std::string authority;
  std::string certificate;
  std::string key;
};

// Where a member's Patroni is. The address is its pod's, so that a pod that was just made anew is reached before the
// cluster's DNS knows of it.
struct PatroniEndpoint {
  std::string address;
  std::shared_ptr<const PatroniTls> tls;  // nullptr: plain HTTP
  std::string name;                       // with TLS: what its certificate is held against
};

class PatroniClient {
 public:
  virtual ~PatroniClient() = default;

  // GET /patroni. An error: it did not answer, or not sensibly.
  virtual Result<MemberReport> Report(const PatroniEndpoint& member, Deadline deadline) = 0;
  // POST /switchover to the leader. Ok: it is done, or under way when the answer has not come by the deadline (Patroni
  // answers when it is over). kFailedPrecondition with Patroni's own words: refused.
  virtual Status Switchover(const PatroniEndpoint& member, const std::string& leader, const std::string& candidate,
                            Deadline deadline) = 0;
};

std::shared_ptr<PatroniClient> MakePatroniClient(std::uint16_t port = 8008);

// The body of GET /patroni; kCorruption when it is none. Answers of a member whose PostgreSQL is down count: they tell
// its state.
Result<MemberReport> ParseReport(const std::string& body);

}  // namespace holdfast::failover
