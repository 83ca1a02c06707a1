#include "operator/cli/flags.h"

#include <algorithm>
#include <optional>
#include <ostream>

namespace holdfast::cli {

bool ParseFlags(const Arguments& arguments, const std::string& command, const std::vector<Flag>& flags,
                const Streams& streams) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string name = arguments[i];
    std::optional<std::string> value;
    if (const std::size_t equals = name.find('='); name.rfind("--", 0) == 0 && equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    }
    const auto flag = std::find_if(flags.begin(), flags.end(), [&name](const Flag& candidate) {
      return name == candidate.name || (!candidate.short_name.empty() && name == candidate.short_name);
    });
    if (flag == flags.end()) {
      streams.error << "holdfast-operator " << command << ": there is no flag " << name << "; see --help\n";
      return false;
    }
    if (!value && i + 1 < arguments.size()) value = arguments[++i];
    if (!value || value->empty()) {
      streams.error << "holdfast-operator " << command << ": " << name << " needs a value\n";
      return false;
    }
    if (flag->list != nullptr) {
      flag->list->push_back(*value);
    } else {
      *flag->target = *value;
    }
  }
  return true;
}

bool AsksForHelp(const Arguments& arguments) {
  return !arguments.empty() && (arguments.front() == "--help" || arguments.front() == "-h");
}

}  // namespace holdfast::cli
