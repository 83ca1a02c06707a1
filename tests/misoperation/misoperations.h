// Specs that a person might write and should not, or that lie at the edge of what is allowed: for every field of the
// tables its minimum, its maximum, just beyond them, nothing, the wrong type, nonsense, and far too much.
#pragma once

#include <string>
#include <vector>

#include "operator/api/v1/field.h"

namespace holdfast::misoperation {

using api::Json;

struct Misoperation {
  std::string path;   // "spec.backends[0].embedded.storage.size"
  std::string field;  // "size"
  std::string what;   // "below the minimum"
  Json spec;
  // Whether the value itself breaks what the table says of the field. Otherwise it is allowed, unless a rule over
  // several fields has something against it.
  bool must_be_refused = false;
};

// A small valid spec, which everything is a change of.
Json GoodSpec();

std::vector<Misoperation> Misoperations();

}  // namespace holdfast::misoperation
