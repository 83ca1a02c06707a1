#include "tests/faults/oracle.h"

namespace holdfast::faults {
namespace {

constexpr int kMostWritesPerReference = 3;
constexpr std::size_t kLongestDifference = 600;

std::string Listed(const std::vector<std::string>& migrations) {
  std::string list;
  for (const std::string& each : migrations) list.append(list.empty() ? "" : ", ").append(each);
  return list.empty() ? "nothing" : list;
}

void CompareObjects(const std::map<std::string, Json>& wanted, const std::map<std::string, Json>& found,
                    const std::string& when, std::vector<std::string>* violations) {
  for (const auto& [name, object] : wanted) {
    const auto at = found.find(name);
    if (at == found.end()) {
      violations->push_back("I10: " + when + " " + name + " is missing");
    } else if (at->second != object) {
      violations->push_back("I10: " + when + " " + name +
                            " differs: " + Json::diff(object, at->second).dump().substr(0, kLongestDifference));
    }
  }
  for (const auto& [name, object] : found) {
    if (!wanted.contains(name)) violations->push_back("I10: " + when + " " + name + " is left over");
  }
}

}  // namespace

std::vector<std::string> Judge(const RunRecord& reference, const RunRecord& run, const FaultPlan& plan) {
  std::vector<std::string> violations = run.violations;
  for (const std::size_t step : run.restless_steps) {
    violations.push_back("I1: no rest after step " + std::to_string(step));
  }
  for (std::size_t step = 0; step < reference.objects.size(); ++step) {
    const bool last = step + 1 == reference.objects.size();
    if (plan.hidden && !last) continue;
    CompareObjects(reference.objects[step], run.objects.at(step), "after step " + std::to_string(step), &violations);
  }
  for (const auto& [kind, uids] : reference.uids) {
    const auto found = run.uids.find(kind);
    const std::size_t made = found == run.uids.end() ? 0 : found->second.size();
    if (made == uids.size() || (plan.hidden && made < uids.size())) continue;
    violations.push_back("I3: " + std::to_string(made) + " objects of kind " + kind + " were made, and " +
                         std::to_string(uids.size()) + " in the reference");
  }
  // An upgrade that went by unseen was none.
  if (!plan.hidden && run.migrations != reference.migrations) {
    violations.push_back("I7: migrated was " + Listed(run.migrations) + ", and in the reference " +
                         Listed(reference.migrations));
  }
  if (run.writes_at_rest != 0) violations.push_back("I9: " + std::to_string(run.writes_at_rest) + " writes at rest");
  if (run.writes > kMostWritesPerReference * reference.writes) {
    violations.push_back("I9: " + std::to_string(run.writes) + " writes, and " + std::to_string(reference.writes) +
                         " in the reference");
  }
  return violations;
}

}  // namespace holdfast::faults
