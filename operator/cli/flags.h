// The flags of the commands that have no settings file: --name VALUE, --name=VALUE, -n VALUE.
#pragma once

#include <string>
#include <vector>

#include "operator/cli/commands.h"

namespace holdfast::cli {

struct Flag {
  std::string name;        // "--filename"
  std::string short_name;  // "-f", or ""
  std::string* target = nullptr;
  // Set instead of `target` for a flag that may be repeated.
  std::vector<std::string>* list = nullptr;
};

// False when the arguments make no sense; what is wrong has been printed, naming `command`.
bool ParseFlags(const Arguments& arguments, const std::string& command, const std::vector<Flag>& flags,
                const Streams& streams);

// Whether the arguments ask for help.
bool AsksForHelp(const Arguments& arguments);

}  // namespace holdfast::cli
