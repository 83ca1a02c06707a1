#include "operator/cli/flags.h"

#include <algorithm>
#include <charconv>

namespace holdfast::cli {

Flag TextFlag(std::vector<std::string> names, std::string* target) {
  return {.names = std::move(names), .take = [target](const std::string& value) {
            *target = value;
            return std::string();
          }};
}

Flag RepeatedFlag(std::vector<std::string> names, std::vector<std::string>* target) {
  return {.names = std::move(names), .take = [target](const std::string& value) {
            target->push_back(value);
            return std::string();
          }};
}

Flag SwitchFlag(std::vector<std::string> names, bool* target) {
  return {.names = std::move(names),
          .take =
              [target](const std::string&) {
                *target = true;
                return std::string();
              },
          .is_switch = true};
}

Flag NumberFlag(std::vector<std::string> names, int minimum, int maximum, int* target) {
  return {.names = std::move(names), .take = [=](const std::string& value) -> std::string {
            int number = 0;
            const char* end = value.data() + value.size();
            const auto [rest, problem] = std::from_chars(value.data(), end, number);
            if (problem != std::errc() || rest != end || number < minimum || number > maximum) {
              return "must be a whole number from " + std::to_string(minimum) + " to " + std::to_string(maximum) +
                     ", not " + value;
            }
            *target = number;
            return {};
          }};
}

bool ParseFlags(const std::string& command, const std::vector<std::string>& arguments, const std::vector<Flag>& flags,
                std::ostream& error) {
  bool good = true;
  const auto complain = [&](const std::string& what) {
    error << command << ": " << what << "\n";
    good = false;
  };
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string name = arguments[i];
    std::optional<std::string> value;
    if (const std::size_t equals = name.find('='); name.starts_with("--") && equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    }
    const auto flag = std::find_if(flags.begin(), flags.end(), [&](const Flag& candidate) {
      return std::find(candidate.names.begin(), candidate.names.end(), name) != candidate.names.end();
    });
    if (flag == flags.end()) {
      complain("there is no flag " + name + "; see --help");
      continue;
    }
    if (flag->is_switch) {
      if (value) complain(name + " takes no value");
      flag->take({});
      continue;
    }
    if (!value && i + 1 < arguments.size()) value = arguments[++i];
    if (!value || value->empty()) {
      complain(name + " needs a value");
      continue;
    }
    if (const std::string problem = flag->take(*value); !problem.empty()) complain(name + " " + problem);
  }
  return good;
}

bool WantsHelp(const std::vector<std::string>& arguments) {
  return std::any_of(arguments.begin(), arguments.end(),
                     [](const std::string& argument) { return argument == "--help" || argument == "-h"; });
}

}  // namespace holdfast::cli
