// Patroni's REST interface, as far as we ask it (docs/rest_api.rst of Patroni 3.0). Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "operator/failover/facts.h"

namespace holdfast::failover {

class PatroniClient {
 public:
  virtual ~PatroniClient() = default;

  // GET /patroni of the member at `address` (an IP address). An error: it did not answer, or not sensibly.
  virtual Result<MemberReport> Report(const std::string& address, Deadline deadline) = 0;
  // POST /switchover to the leader. Ok: it is done, or under way when the answer has not come by the deadline (Patroni
  // answers when it is over). kFailedPrecondition with Patroni's own words: refused.
  virtual Status Switchover(const std::string& address, const std::string& leader, const std::string& candidate,
                            Deadline deadline) = 0;
};

struct PatroniClientOptions {
  std::uint16_t port = 8008;
  // PEM of the authority of the members' certificates; empty: plain HTTP.
  std::string ca_pem;
};
std::shared_ptr<PatroniClient> MakePatroniClient(PatroniClientOptions options = {});

// The body of GET /patroni; kCorruption when it is none. Answers of a member whose PostgreSQL is down count: they tell
// its state.
Result<MemberReport> ParseReport(const std::string& body);

}  // namespace holdfast::failover
