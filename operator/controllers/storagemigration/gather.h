// Reads everything that a decision rests on: from the API server itself, never from a copy, and from the service.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "base/time/deadline.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/controllers/storagemigration/decision.h"
#include "operator/controllers/storagemigration/service_client.h"
#include "operator/kube/client.h"

namespace holdfast::storagemigration {

struct Gathered {
  Facts facts;
  kube::Json cluster = nullptr;          // as it was read; null = there is none
  std::optional<Endpoint> service = {};  // when it was asked
};

// The token that the operator shows to the service of a cluster that asks for one.
std::string CallerSecretName(const std::string& migration);

class Gatherer {
 public:
  // All outlive it.
  Gatherer(kube::Client& client, ServiceClient& service, std::chrono::milliseconds answer_timeout,
           std::chrono::microseconds tidying, const Clock& clock);

  // `object`: the StorageMigration as the API server has it, `migration` the same read. Makes the token's Secret when
  // the cluster asks for a token, since its hash is part of what is wanted.
  Result<Gathered> Gather(const kube::Json& object, const api::StorageMigration& migration, Deadline deadline) const;

 private:
  Result<std::string> TokenOf(const kube::Json& object, Deadline deadline) const;
  // Whether the StorageMigration that has the store is there.
  Result<bool> IsThere(const std::string& ns, const api::StoreMove& move, Deadline deadline) const;
  Status Ask(const api::StorageMigration& migration, const api::StorageCluster& cluster, const std::string& token,
             Gathered* gathered, Deadline deadline) const;

  kube::Client& client_;
  ServiceClient& service_;
  const std::chrono::milliseconds answer_timeout_;
  const std::chrono::microseconds tidying_;
  const Clock& clock_;
};

}  // namespace holdfast::storagemigration
