// Specs that a person might write and should not, or that lie at the edge of what is allowed: for every field of the
// tables its minimum, its maximum, just beyond them, nothing, the wrong type, nonsense, and far too much. Each is one
// change of a good spec in which that field may stand.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "operator/api/v1/field.h"

namespace holdfast::misoperation {

using api::Json;

struct Misoperation {
  std::string good;   // the name of the good spec that it is a change of
  std::string path;   // "spec.backends[0].embedded.storage.size"; of the values of a map "spec.a[*]"
  std::string field;  // "size"
  std::string what;   // "below the minimum"
  Json spec;
  // Whether the value itself breaks what the table says of the field. Otherwise it is allowed, unless a rule over
  // several fields has something against it.
  bool must_be_refused = false;
};

// Small valid specs, one for each kind of backend and of composed store, which cannot become one another.
struct Good {
  std::string name;  // "postgres"
  Json spec;
};
std::vector<Good> GoodSpecs();

// In the order of the good specs. Every field is visited once, in the first one in which it may stand.
std::vector<Misoperation> Misoperations();

// The paths of all fields of a spec, read out of the definition that the API server is given; spelled as
// Misoperation::path.
std::set<std::string> PathsOfDefinition();

}  // namespace holdfast::misoperation
