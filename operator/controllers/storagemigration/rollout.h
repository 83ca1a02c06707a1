// Whether every pod of the state service has the configuration in which a store may move, and no other pod runs: a pod
// without it would write past the migration. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "operator/kube/object.h"

namespace holdfast::storagemigration {

// As the API server has it.
struct ServicePods {
  kube::Json config_map = nullptr;  // null = not there
  kube::Json workload = nullptr;    // StatefulSet or Deployment; likewise
  std::vector<kube::Json> pods = {};

  std::int64_t wanted() const;
};

// What is missing, in a sentence; nothing: all have it.
std::optional<std::string> WhatIsMissing(const ServicePods& service, const std::string& store, const std::string& to);

}  // namespace holdfast::storagemigration
