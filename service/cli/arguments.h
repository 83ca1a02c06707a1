// The words behind `holdfast COMMAND`, read against a table of options; the same table prints the help.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"

namespace holdfast::cli {

struct Option {
  std::string_view name;         // "--store"
  std::string_view placeholder;  // "NAME"; empty = takes no value
  std::string_view description;
};

struct Command {
  std::string_view name;
  std::string_view synopsis;  // the arguments: "KEY [VALUE]"
  std::string_view summary;
  std::string_view notes;  // further lines of its help; may be empty
  std::size_t min_arguments = 0;
  std::size_t max_arguments = 0;
  std::span<const Option> options;
};

struct Arguments {
  std::vector<std::string> positional;
  std::map<std::string, std::string, std::less<>> options;  // "--store" → "main"

  bool Has(std::string_view name) const { return options.find(name) != options.end(); }
  std::string Get(std::string_view name, std::string_view fallback = "") const;
};

// `--name value` and `--name=value`; `--` ends the options. kInvalidArgument says what is wrong with which word.
Result<Arguments> Parse(const Command& command, std::span<const Option> common, const std::vector<std::string>& words);
std::string HelpOf(const Command& command, std::span<const Option> common);

// --url, else what the environment says, else the fallback; without a slash at the end.
std::string ServiceUrl(const Arguments& arguments, const char* variable, const char* fallback);

// serve and check-config: a file, and settings as flags.
struct ServerArguments {
  std::optional<std::string> config_file;  // --config, else HOLDFAST_CONFIG
  std::vector<std::string> flags;          // for the settings table
  bool help = false;
  bool markdown = false;  // check-config only: print docs/configuration.md
};
Result<ServerArguments> ParseServerArguments(const std::vector<std::string>& words);
void PrintServerHelp(std::string_view command, std::string_view settings_help);

// Of a command that takes options of its own and settings as flags, in one line: which words are whose.
struct DividedWords {
  std::vector<std::string> own;
  std::vector<std::string> settings;
};
DividedWords Divide(std::span<const Option> options, const std::vector<std::string>& words);

// Prints the error and where help is; the exit code for wrong usage, 2.
int UsageError(std::string_view command, const Error& error);

}  // namespace holdfast::cli
