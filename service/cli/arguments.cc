#include "service/cli/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace holdfast::cli {
namespace {

Error Usage(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

const Option* FindOption(std::span<const Option> options, std::string_view name) {
  const auto found = std::find_if(options.begin(), options.end(), [&](const Option& o) { return o.name == name; });
  return found == options.end() ? nullptr : &*found;
}

std::string OptionLines(std::span<const Option> options) {
  std::string lines;
  for (const Option& option : options) {
    const std::string left =
        option.placeholder.empty() ? std::string(option.name) : fmt::format("{} {}", option.name, option.placeholder);
    lines += fmt::format("  {:<24} {}\n", left, option.description);
  }
  return lines;
}

}  // namespace

std::string Arguments::Get(std::string_view name, std::string_view fallback) const {
  const auto found = options.find(name);
  return found == options.end() ? std::string(fallback) : found->second;
}

Result<Arguments> Parse(const Command& command, std::span<const Option> common, const std::vector<std::string>& words) {
  Arguments arguments;
  bool options_ended = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (options_ended || word == "-" || !word.starts_with('-')) {
      arguments.positional.push_back(word);
      continue;
    }
    if (word == "--") {
      options_ended = true;
      continue;
    }
    if (word == "-h") {
      arguments.options.emplace("--help", "");
      continue;
    }
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const Option* option = FindOption(command.options, name);
    if (option == nullptr) option = FindOption(common, name);
    if (option == nullptr) return Usage(fmt::format("unknown option {}", name));
    if (arguments.Has(name)) return Usage(fmt::format("{} is given twice", name));
    std::string value;
    if (option->placeholder.empty()) {
      if (equals != std::string::npos) return Usage(fmt::format("{} takes no value", name));
    } else if (equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (i + 1 < words.size()) {
      value = words[++i];
    } else {
      return Usage(fmt::format("{} needs a value: {} {}", name, name, option->placeholder));
    }
    arguments.options.emplace(name, std::move(value));
  }
  const std::size_t given = arguments.positional.size();
  if (!arguments.Has("--help") && (given < command.min_arguments || given > command.max_arguments)) {
    return Usage(fmt::format("{} arguments given; it is: holdfast {} {}", given, command.name, command.synopsis));
  }
  return arguments;
}

std::string HelpOf(const Command& command, std::span<const Option> common) {
  std::string text =
      fmt::format("Usage: holdfast {} [OPTIONS] {}\n\n{}\n", command.name, command.synopsis, command.summary);
  if (!command.notes.empty()) text += fmt::format("\n{}\n", command.notes);
  text += fmt::format("\nOptions:\n{}{}", OptionLines(command.options), OptionLines(common));
  return text;
}

std::string ServiceUrl(const Arguments& arguments, const char* variable, const char* fallback) {
  const char* set = std::getenv(variable);
  std::string url = arguments.Get("--url", set != nullptr && *set != '\0' ? set : fallback);
  while (url.ends_with('/')) url.pop_back();
  return url;
}

Result<ServerArguments> ParseServerArguments(const std::vector<std::string>& words) {
  ServerArguments arguments;
  if (const char* file = std::getenv("HOLDFAST_CONFIG"); file != nullptr && *file != '\0') arguments.config_file = file;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--help" || word == "-h") {
      arguments.help = true;
    } else if (word == "--markdown") {
      arguments.markdown = true;
    } else if (word.starts_with("--config=")) {
      arguments.config_file = word.substr(9);
    } else if (word == "--config") {
      if (i + 1 == words.size()) return Usage("--config needs a value: --config FILE");
      arguments.config_file = words[++i];
    } else {
      arguments.flags.push_back(word);
    }
  }
  return arguments;
}

void PrintServerHelp(std::string_view command, std::string_view settings_help) {
  const bool serve = command == "serve";
  fmt::print(
      "Usage: holdfast {} [--config FILE] [--SETTING=VALUE ...]\n\n{}\n\n"
      "Settings come from, in rising order: default, file, environment (listen.port is\n"
      "HOLDFAST_LISTEN_PORT), flag (--listen.port=8080). Without any, one RocksDB store\n"
      "`main` is served from ./holdfast-data.\n\n"
      "Options:\n"
      "  --config FILE            YAML file with settings; default: $HOLDFAST_CONFIG\n"
      "{}"
      "  --help                   this text\n\n"
      "Exit codes: 0 ok, {}2 a setting or flag is wrong (all of them are listed)\n\n"
      "Settings:\n{}",
      command,
      serve ? "Runs the state service until SIGTERM or SIGINT." : "Checks the settings and prints them as YAML.",
      serve ? "" : "  --markdown               print the table of all settings instead\n",
      serve ? "1 a backend or port could not be opened, " : "", settings_help);
}

DividedWords Divide(std::span<const Option> options, const std::vector<std::string>& words) {
  DividedWords divided;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string name = words[i].substr(0, words[i].find('='));
    const Option* const option = FindOption(options, name);
    const bool ours = option != nullptr || name == "-h";
    const bool setting = !ours && words[i].starts_with("--");
    std::vector<std::string>& to = setting ? divided.settings : divided.own;
    to.push_back(words[i]);
    // "--name value": a command's verb is never taken for one, because it stands in front.
    const bool takes_value = setting || (option != nullptr && !option->placeholder.empty());
    if (takes_value && name == words[i] && i + 1 < words.size() && !words[i + 1].starts_with("--")) {
      to.push_back(words[++i]);
    }
  }
  return divided;
}

int UsageError(std::string_view command, const Error& error) {
  fmt::print(stderr, "holdfast {}: {}\nSee: holdfast {} --help\n", command, error.message(), command);
  return 2;
}

}  // namespace holdfast::cli
