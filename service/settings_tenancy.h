// What the rows "auth.*" and "audit.*" come to: who may ask for what, and what is kept of it.
#pragma once

#include <vector>

#include "base/config/settings.h"
#include "service/settings.h"

namespace holdfast::service {

// Into `result`; what cannot be is added to `problems`.
void ReadTenancy(const config::Settings& settings, ServiceSettings* result, std::vector<config::Problem>* problems);

}  // namespace holdfast::service
