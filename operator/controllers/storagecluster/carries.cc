#include "operator/controllers/storagecluster/carries.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace holdfast::storagecluster {
namespace {

using kube::Json;

// The value of a quantity, or nothing for another text.
std::optional<long double> Quantity(const Json& value) {
  if (value.is_number()) return value.get<long double>();
  if (!value.is_string() || value.get_ref<const std::string&>().empty()) return std::nullopt;
  const std::string& text = value.get_ref<const std::string&>();
  char* rest = nullptr;
  const long double number = std::strtold(text.c_str(), &rest);
  if (rest == text.c_str()) return std::nullopt;
  static const std::array<std::pair<std::string_view, long double>, 13> kUnits = {{{"", 1.0L},
                                                                                   {"m", 1e-3L},
                                                                                   {"k", 1e3L},
                                                                                   {"M", 1e6L},
                                                                                   {"G", 1e9L},
                                                                                   {"T", 1e12L},
                                                                                   {"P", 1e15L},
                                                                                   {"E", 1e18L},
                                                                                   {"Ki", 0x1p10L},
                                                                                   {"Mi", 0x1p20L},
                                                                                   {"Gi", 0x1p30L},
                                                                                   {"Ti", 0x1p40L},
                                                                                   {"Pi", 0x1p50L}}};
  for (const auto& [unit, factor] : kUnits) {
    if (unit == rest) return number * factor;
  }
  return std::nullopt;
}

bool SameQuantity(const Json& a, const Json& b) {
  const auto left = Quantity(a);
  const auto right = Quantity(b);
  if (!left || !right) return false;
  // Decimal thousandths have no exact binary form.
  return std::fabs(*left - *right) <= 1e-12L * std::max(std::fabs(*left), std::fabs(*right));
}

// The member that identifies the items of this list, or nullptr when they have only their position.
const char* KeyOfItems(const Json& list) {
  for (const char* key : {"name", "uid"}) {
    const bool all = !list.empty() && std::all_of(list.begin(), list.end(), [&](const Json& item) {
      return item.is_object() && item.contains(key) && item.at(key).is_string();
    });
    // An owner reference has both; its uid is what counts.
    if (all && !(std::string_view(key) == "name" && list.front().contains("uid"))) return key;
  }
  return nullptr;
}

std::optional<std::string> Difference(const Json& desired, const Json& live, const std::string& path, bool quantities);

std::optional<std::string> ListDifference(const Json& desired, const Json& live, const std::string& path) {
  if (const char* key = KeyOfItems(desired)) {
    for (const Json& item : desired) {
      const auto match = std::find_if(live.begin(), live.end(), [&](const Json& candidate) {
        return candidate.is_object() && candidate.contains(key) && candidate.at(key) == item.at(key);
      });
      const std::string item_path = path + "/" + item.at(key).get<std::string>();
      if (match == live.end()) return item_path;
      if (auto difference = Difference(item, *match, item_path, false)) return difference;
    }
    return std::nullopt;
  }
  if (desired.size() != live.size()) return path;
  for (std::size_t i = 0; i < desired.size(); ++i) {
    if (auto difference = Difference(desired[i], live[i], path + "/" + std::to_string(i), false)) return difference;
  }
  return std::nullopt;
}

std::optional<std::string> Difference(const Json& desired, const Json& live, const std::string& path, bool quantities) {
  if (desired.is_object() && live.is_object()) {
    for (const auto& [name, value] : desired.items()) {
      const std::string member_path = path + "/" + name;
      const auto member = live.find(name);
      const bool absent = member == live.end();
      // The server leaves empty objects out where they mean nothing.
      if (absent && value.is_object() && value.empty() && name != "emptyDir") continue;
      if (absent) return member_path;
      const bool are_quantities = quantities || name == "requests" || name == "limits";
      if (auto difference = Difference(value, *member, member_path, are_quantities)) return difference;
    }
    return std::nullopt;
  }
  if (desired.is_array() && live.is_array()) return ListDifference(desired, live, path);
  if (desired == live || (quantities && SameQuantity(desired, live))) return std::nullopt;
  return path;
}

}  // namespace

std::optional<std::string> FirstDifference(const Json& desired, const Json& live) {
  return Difference(desired, live, "", false);
}

}  // namespace holdfast::storagecluster
