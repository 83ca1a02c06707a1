// holdfast bench: throughput and latency of a running service (load_generator.h).
#pragma once

#include <string>
#include <vector>

#include "service/cli/arguments.h"

namespace holdfast::cli {

extern const Command kBenchCommand;

// Exit codes as in client_commands.h: 1 also when there are keys under --prefix that the end would delete, 3 also when
// a request failed; the figures are printed then as well.
int RunBench(const std::vector<std::string>& words);

}  // namespace holdfast::cli
