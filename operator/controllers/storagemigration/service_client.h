// What is asked of the state service, and told to it, about the move of a store (docs/store-migration.md). Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "operator/controllers/storagemigration/decision.h"
#include "operator/service_access/endpoint.h"

namespace holdfast::storagemigration {

using service_access::Endpoint;

class ServiceClient {
 public:
  virtual ~ServiceClient() = default;
  // An error: it does not answer, or not what it is asked; in words for people, without the token.
  virtual Result<Report> Ask(const Endpoint& service, const std::string& store, Deadline deadline) = 0;
  // kFailedPrecondition: it refuses. Any other error: nobody knows whether it was done, which the next Ask shows.
  virtual Status Tell(const Endpoint& service, const std::string& store, const std::string& action,
                      Deadline deadline) = 0;
};

std::shared_ptr<ServiceClient> MakeServiceClient();

// The body of GET /v1/stores/{store}/migration; nothing when it makes no sense.
std::optional<Report> ParseReport(const std::string& body);

}  // namespace holdfast::storagemigration
