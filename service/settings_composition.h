// The rows of stores that are composed of several backends, and what they come to.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/config/settings.h"
#include "service/settings.h"

namespace holdfast::service {

void AddComposition(std::vector<config::Setting>* rows);
// The cache of the store, if it has one; what cannot be is added to `problems`.
std::optional<CacheSettings> CacheOf(const config::Settings& settings, const StoreSettings& store,
                                     const std::vector<BackendSettings>& backends,
                                     std::vector<config::Problem>* problems);

}  // namespace holdfast::service
