// What kubectl get shows of the built-in kinds: the columns and their cells, as the real server prints them. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/time/clock.h"
#include "operator/local/api_server/resource_registry.h"

namespace holdfast::local {

std::vector<PrinterColumn> BuiltinColumns(const std::string& kind);
// One cell per column of the kind.
Json BuiltinCells(const std::string& kind, const Json& object, Timestamp now);
// How long ago a time was; "<unknown>" for none.
Json AgeCell(const std::string& since, Timestamp now);

}  // namespace holdfast::local
