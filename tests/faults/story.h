// A cluster's life, as data: what a person does to it, step by step.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "operator/kube/object.h"

namespace holdfast::faults {

using kube::Json;

struct Step {
  enum class Action { kCreate, kPatchSpec, kDelete, kDeleteChild, kFillDisk, kUpgrade };
  Action action = Action::kCreate;
  Json body = nullptr;           // the spec, or the patch of it
  kube::ResourceKind kind = {};  // kDeleteChild
  std::string name = {};         // kUpgrade: the image of the service that the operator brings along
  std::uint64_t bytes = 0;       // kFillDisk: in use of the volume from now on
};

struct Story {
  std::string name;
  std::vector<Step> steps;
};

// Created, and nothing else.
Story Creation();
// Created, scaled to 0, to 1 and grown, deleted, created again. `policy` is its terminationPolicy.
Story EmbeddedLife(const std::string& policy);
// Created with a volume that grows by itself to 3Gi, which fills again and again, and beyond that; deleted, created
// again.
Story FillingLife();
// With a PostgreSQL backend: created, upgraded, and back again, deleted, created again.
Story DatabaseLife();
// Created with TLS, which is switched off and on again; what was published and the certificate are deleted; deleted,
// created again.
Story TlsLife();
// With a Redis backend and TerminationPolicy Delete: created, grown with more memory, deleted, created again.
Story CacheLife();
// Created, scaled back and forth (1, 0, 1), a child deleted: nothing that is not undone.
Story BackAndForth();

}  // namespace holdfast::faults
