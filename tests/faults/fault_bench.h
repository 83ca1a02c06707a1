// Lives a story through with the faults of a plan, and writes down what came of it. The operator is moved by hand, in
// one thread, so that a run is the same each time.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/faults/buggy_client.h"
#include "tests/faults/fault_plan.h"
#include "tests/faults/story.h"

namespace holdfast::faults {

// A password that a Secret of every run holds.
inline constexpr char kCanary[] = "canary-3f9d51c07a";

struct RunRecord {
  // By step, when the operator had come to rest after it; without uids, versions and times. Empty for hidden steps.
  std::vector<std::map<std::string, Json>> objects;
  // Steps after which it did not come to rest.
  std::vector<std::size_t> restless_steps;
  // Every object that ever was, of the kinds that hold data, run something or are secret.
  std::map<std::string, std::set<std::string>> uids;  // by kind
  // Every migration that was begun, in this order: "db by holdfast:next", the backend and the image.
  std::vector<std::string> migrations;
  int writes = 0;
  int writes_at_rest = 0;  // of five more looks at the end
  int crashes = 0;
  std::vector<std::string> violations;  // of rules about single requests
};

RunRecord Live(const Story& story, const FaultPlan& plan, Bug bug = Bug::kNone);

}  // namespace holdfast::faults
