#include "operator/resources/store_resilience.h"

#include <string>
#include <string_view>

namespace holdfast::resources {
namespace {

// "budgetPerSecond" as "budget_per_second".
std::string Row(std::string_view field) {
  std::string row;
  for (const char c : field) {
    const bool capital = c >= 'A' && c <= 'Z';
    if (capital) row.push_back('_');
    row.push_back(capital ? static_cast<char>(c - 'A' + 'a') : c);
  }
  return row;
}

}  // namespace

// The fields have the names of the rows: {"retry": {"budgetBurst": 9}} is retry_budget_burst: 9. A test has the service
// read each of them.
kube::Json ResilienceSettings(const kube::Json& resilience) {
  kube::Json settings = kube::Json::object();
  for (const auto& [part, value] : resilience.items()) {
    if (!value.is_object()) {
      settings[Row(part)] = value;
      continue;
    }
    // The one part whose rows all have defaults.
    if (part == "breaker") settings["breaker"] = true;
    for (const auto& [field, given] : value.items()) settings[part + "_" + Row(field)] = given;
  }
  return settings;
}

}  // namespace holdfast::resources
