// A report as a person reads it: pure text, no colours, columns as wide as they need to be.
#pragma once

#include <string>
#include <vector>

#include "base/time/clock.h"
#include "operator/kube/object.h"

namespace holdfast::kubectl {

std::string ScreenOf(const kube::Json& report, Timestamp now);
std::string TableOf(const std::vector<kube::Json>& reports, bool with_namespace, Timestamp now);

}  // namespace holdfast::kubectl
