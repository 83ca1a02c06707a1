// A cluster's life, as data: what a person does to it, step by step.
#pragma once

#include <string>
#include <vector>

#include "operator/kube/object.h"

namespace holdfast::faults {

using kube::Json;

struct Step {
  enum class Action { kCreate, kPatchSpec, kDelete, kDeleteChild };
  Action action = Action::kCreate;
  Json body = nullptr;           // the spec, or the patch of it
  kube::ResourceKind kind = {};  // kDeleteChild
  std::string name = {};
};

struct Story {
  std::string name;
  std::vector<Step> steps;
};

// Created, and nothing else.
Story Creation();
// Created, scaled to 0, to 1 and grown, deleted, created again. `policy` is its terminationPolicy.
Story EmbeddedLife(const std::string& policy);
// Created, scaled back and forth (1, 0, 1), a child deleted: nothing that is not undone.
Story BackAndForth();

}  // namespace holdfast::faults
