// `holdfast bench`: load on a running service, and what it came to.
//
// Exit codes: 0 every request was answered as it should be · 2 wrong usage, or the service refuses such requests · 3
// the service cannot be reached, or some requests failed (the report says how many, and with what).
#pragma once

#include <chrono>
#include <span>
#include <string>

#include "service/cli/arguments.h"

namespace holdfast::cli {

// All options of the command; no others apply to it.
std::span<const Option> BenchOptions();

// `url` has no trailing slash. Writes to standard output, errors to standard error.
int RunBench(const Arguments& arguments, const std::string& url, std::chrono::microseconds timeout);

}  // namespace holdfast::cli
