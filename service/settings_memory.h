// The rows of backends of type memory, and what they come to.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/config/settings.h"
#include "service/backends/memory/memory_backend.h"

namespace holdfast::service {

// Their names behind "backends.NAME.".
std::span<const std::string_view> MemoryRows();
// Of the backend of this name; what cannot be is added to `problems`.
storage::MemoryOptions MemoryOf(const config::Settings& settings, const std::string& name,
                                const storage::Limits& limits, std::vector<config::Problem>* problems);

}  // namespace holdfast::service
