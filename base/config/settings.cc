#include "base/config/settings.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/config/yaml.h"
#include "base/time/duration.h"

namespace holdfast::config {
namespace {

[[noreturn]] void Die(std::string_view name, const char* why) {
  std::fprintf(stderr, "setting %.*s: %s\n", static_cast<int>(name.size()), name.data(), why);
  std::abort();
}

std::int64_t ToInteger(std::string_view text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

const Settings::Value& Settings::Find(std::string_view name, Type type) const {
  const auto found = values_.find(name);
  if (found == values_.end()) Die(name, "is not in the table");
  if (found->second.type != type) Die(name, "is asked for as another type than it has");
  return found->second;
}

std::string Settings::String(std::string_view name) const {
  const auto found = values_.find(name);
  if (found != values_.end() && found->second.type == Type::kChoice) return found->second.text;
  return Find(name, Type::kString).text;
}

bool Settings::Bool(std::string_view name) const {
  return Find(name, Type::kBool).text == "true";
}

std::int64_t Settings::Integer(std::string_view name) const {
  return ToInteger(Find(name, Type::kInteger).text);
}

std::uint64_t Settings::Bytes(std::string_view name) const {
  const std::string& text = Find(name, Type::kBytes).text;
  return text.empty() ? 0 : ParseBytes(text).value();
}

std::chrono::microseconds Settings::Duration(std::string_view name) const {
  const std::string& text = Find(name, Type::kDuration).text;
  return text.empty() ? std::chrono::microseconds{0} : ParseDuration(text).value();
}

std::vector<std::string> Settings::List(std::string_view name) const {
  return Find(name, Type::kList).list;
}

bool Settings::IsSet(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) Die(name, "is not in the table");
  return found->second.is_set;
}

std::vector<std::string> Settings::Names(std::string_view prefix) const {
  const std::string start = std::string(prefix) + ".";
  std::vector<std::string> names;
  for (auto value = values_.lower_bound(start); value != values_.end() && value->first.starts_with(start); ++value) {
    std::string name = value->first.substr(start.size(), value->first.find('.', start.size()) - start.size());
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> Settings::ChangedSince(const Settings& other) const {
  const auto same = [](const Value& a, const Value& b) { return a.text == b.text && a.list == b.list; };
  std::set<std::string> changed;
  for (const auto& [name, value] : values_) {
    const auto former = other.values_.find(name);
    if (former == other.values_.end() || !same(value, former->second)) changed.insert(name);
  }
  for (const auto& [name, value] : other.values_) {
    if (!values_.contains(name)) changed.insert(name);
  }
  return {changed.begin(), changed.end()};
}

std::string Settings::ToYaml() const {
  nlohmann::json tree = nlohmann::json::object();
  for (const auto& [name, value] : values_) {
    nlohmann::json* node = &tree;
    for (std::size_t start = 0; start <= name.size();) {
      const std::size_t dot = std::min(name.find('.', start), name.size());
      node = &(*node)[name.substr(start, dot - start)];
      start = dot + 1;
    }
    if (value.type == Type::kList) {
      *node = value.secret ? nlohmann::json("****") : nlohmann::json(value.list);
    } else if (value.text.empty() && !value.is_set) {
      *node = nullptr;
    } else if (value.secret) {
      *node = "****";
    } else if (value.type == Type::kBool) {
      *node = value.text == "true";
    } else if (value.type == Type::kInteger) {
      *node = ToInteger(value.text);
    } else {
      *node = value.text;
    }
  }
  return config::ToYaml(tree);
}

}  // namespace holdfast::config
