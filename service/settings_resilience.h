// The rows of what stands in front of a backend of any type, "backends.*.", and in front of a store however it is
// composed, "stores.*.resilience." (service/resilience): one table for both; and what they come to.
#pragma once

#include <string>
#include <vector>

#include "base/config/settings.h"
#include "service/resilience/guard.h"

namespace holdfast::service {

void AddResilience(std::vector<config::Setting>* rows);
// Of the rows below `prefix`: "backends.db", "stores.main.resilience". What cannot be is added to `problems`.
resilience::Options ResilienceOf(const config::Settings& settings, const std::string& prefix,
                                 std::vector<config::Problem>* problems);

}  // namespace holdfast::service
