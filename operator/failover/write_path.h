// Whether writes get through for those who write: asked of the state service, whose health of a backend is a row really
// written there, over the connections its clients use. The operator has no storage driver of its own. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/time/deadline.h"
#include "operator/failover/facts.h"
#include "operator/failover/patroni_state.h"
#include "operator/kube/client.h"

namespace holdfast::failover {

class WritePathProbe {
 public:
  virtual ~WritePathProbe() = default;
  // Until about the deadline, whoever does not answer.
  virtual WritePath Probe(const Scope& scope, Deadline deadline) = 0;
};

// GET /healthz on the admin port of at most three of the cluster's state-service pods. One that says "healthy" is
// enough for kWorks; kStuck when all who answer say otherwise.
std::shared_ptr<WritePathProbe> MakeServiceProbe(std::shared_ptr<kube::Client> client, std::uint16_t admin_port);

// What a body of /healthz says of one backend.
WritePath ParseHealth(const std::string& body, const std::string& backend);

}  // namespace holdfast::failover
