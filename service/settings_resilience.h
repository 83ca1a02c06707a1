// The rows of what stands in front of a backend of any type (service/resilience), and what they come to.
#pragma once

#include <string>
#include <vector>

#include "base/config/settings.h"
#include "service/resilience/guard.h"

namespace holdfast::service {

void AddResilience(std::vector<config::Setting>* rows);
// Of the backend of this name; what cannot be is added to `problems`.
resilience::Options ResilienceOf(const config::Settings& settings, const std::string& name,
                                 std::vector<config::Problem>* problems);

}  // namespace holdfast::service
