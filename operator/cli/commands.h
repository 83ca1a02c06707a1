// The subcommands of holdfast-operator. Each takes its own arguments (without program and command name) and returns the
// exit status: 0 done, 1 it failed, 2 it was asked wrongly (flags, settings, a file that cannot be read).
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "base/config/settings.h"

namespace holdfast::cli {

struct Streams {
  std::istream& in;
  std::ostream& out;
  std::ostream& error;
};

using Arguments = std::vector<std::string>;

int RunOperator(const Arguments& arguments, const Streams& streams);
int RunPlan(const Arguments& arguments, const Streams& streams);
int RunCrd(const Arguments& arguments, const Streams& streams);
int RunRbac(const Arguments& arguments, const Streams& streams);
// Before the process has other threads, as local::RunLocal asks for.
int RunLocal(const Arguments& arguments, const Streams& streams);

// The settings of `run`, for --help and docs/configuration.md.
const config::SettingsTable& OperatorSettings();

// "0.1.0", of the build.
std::string Version();
// The image of the state service that belongs to this operator: "holdfast:0.1.0".
std::string DefaultServiceImage();
// Of the pods of postgres backends: "holdfast-postgres:15-0.1.0".
std::string DefaultPostgresImage();
// Of the pods of redis backends: "holdfast-redis:7-0.1.0".
std::string DefaultRedisImage();

}  // namespace holdfast::cli
