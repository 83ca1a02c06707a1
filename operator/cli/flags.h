// Flags of the subcommands that are not settings: --name value, --name=value, -n value, and switches.
#pragma once

#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace holdfast::cli {

struct Flag {
  std::vector<std::string> names;  // "-f", "--filename"
  // Takes the value (empty for a switch); what is wrong with it, or "".
  std::function<std::string(const std::string& value)> take;
  bool is_switch = false;
};

// Flags that store what they get.
Flag TextFlag(std::vector<std::string> names, std::string* target);
Flag RepeatedFlag(std::vector<std::string> names, std::vector<std::string>* target);
Flag SwitchFlag(std::vector<std::string> names, bool* target);
Flag NumberFlag(std::vector<std::string> names, int minimum, int maximum, int* target);

// False when something is wrong; every error has been written to `error`, one per line, each beginning with `command`.
bool ParseFlags(const std::string& command, const std::vector<std::string>& arguments, const std::vector<Flag>& flags,
                std::ostream& error);

// Whether help is asked for.
bool WantsHelp(const std::vector<std::string>& arguments);

}  // namespace holdfast::cli
