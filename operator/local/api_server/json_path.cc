#include "operator/local/api_server/json_path.h"

#include <charconv>
#include <string>

#include "operator/local/api_server/json_access.h"

namespace holdfast::local {
namespace {

using Values = std::vector<const Json*>;

Values Children(const Values& values, const std::string& name) {
  Values next;
  for (const Json* value : values) {
    if (const Json* child = FindField(*value, {name})) next.push_back(child);
  }
  return next;
}

Values AllItems(const Values& values) {
  Values next;
  for (const Json* value : values) {
    if (!value->is_structured()) continue;
    for (const Json& item : *value) next.push_back(&item);
  }
  return next;
}

std::string_view Unquote(std::string_view text) {
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front()) {
    return text.substr(1, text.size() - 2);
  }
  return text;
}

// "@.type==\"Ready\"".
Values Filter(const Values& values, std::string_view condition) {
  std::size_t equals = condition.find("==");
  if (!condition.starts_with("@") || equals == std::string_view::npos) return {};
  std::string_view left = condition.substr(1, equals - 1);
  std::string_view right = condition.substr(equals + 2);
  while (!left.empty() && left.back() == ' ') left.remove_suffix(1);
  while (!right.empty() && right.front() == ' ') right.remove_prefix(1);
  Values kept;
  for (const Json* item : AllItems(values)) {
    for (const Json* found : EvaluateJsonPath(*item, left)) {
      std::string text = found->is_string() ? found->get<std::string>() : found->dump();
      if (text == Unquote(right)) {
        kept.push_back(item);
        break;
      }
    }
  }
  return kept;
}

Values Subscript(const Values& values, std::string_view inside) {
  if (inside == "*") return AllItems(values);
  if (inside.starts_with("?(") && inside.ends_with(")")) return Filter(values, inside.substr(2, inside.size() - 3));
  if (Unquote(inside) != inside) return Children(values, std::string(Unquote(inside)));
  std::size_t index = 0;
  auto [end, error] = std::from_chars(inside.data(), inside.data() + inside.size(), index);
  if (error != std::errc() || end != inside.data() + inside.size()) return {};
  Values next;
  for (const Json* value : values) {
    if (value->is_array() && index < value->size()) next.push_back(&(*value)[index]);
  }
  return next;
}

// The position of the bracket that closes the one at `open`; quoted brackets do not count.
std::size_t ClosingBracket(std::string_view path, std::size_t open) {
  char quote = '\0';
  int depth = 0;
  for (std::size_t i = open; i < path.size(); ++i) {
    char each = path[i];
    if (quote != '\0') {
      if (each == quote) quote = '\0';
    } else if (each == '"' || each == '\'') {
      quote = each;
    } else if (each == '[') {
      ++depth;
    } else if (each == ']' && --depth == 0) {
      return i;
    }
  }
  return std::string_view::npos;
}

}  // namespace

std::vector<const Json*> EvaluateJsonPath(const Json& object, std::string_view path) {
  Values values{&object};
  if (path.starts_with("{") && path.ends_with("}")) path = path.substr(1, path.size() - 2);
  std::size_t at = path.starts_with("$") ? 1 : 0;
  while (at < path.size() && !values.empty()) {
    if (path[at] == '[') {
      std::size_t close = ClosingBracket(path, at);
      if (close == std::string_view::npos) return {};
      values = Subscript(values, path.substr(at + 1, close - at - 1));
      at = close + 1;
      continue;
    }
    if (path[at] == '.') ++at;
    std::string name;
    for (; at < path.size() && path[at] != '.' && path[at] != '['; ++at) {
      // "\." is a dot that belongs to the name, as in annotation keys.
      if (path[at] == '\\' && at + 1 < path.size()) ++at;
      name += path[at];
    }
    if (!name.empty()) values = name == "*" ? AllItems(values) : Children(values, name);
  }
  return values;
}

}  // namespace holdfast::local
