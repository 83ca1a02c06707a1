// What a load came to, for people and for programs.
#pragma once

#include <string>

#include "service/bench/load.h"

namespace holdfast::bench {

// Some lines of text. Latencies in milliseconds.
std::string ReportText(const LoadPlan& plan, const LoadResult& result);
// One JSON object on one line; docs/performance.md describes its members.
std::string ReportJson(const LoadPlan& plan, const LoadResult& result);

}  // namespace holdfast::bench
