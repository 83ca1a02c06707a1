#include "service/json/value_builder.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::json {
namespace {

// Objects with more members than this look for duplicates in a set: a linear search would be quadratic.
constexpr std::size_t kLinearMembers = 16;

}  // namespace

bool ValueBuilder::IsDuplicate(Frame& frame, const std::string& name) {
  const std::vector<std::string>& names = frame.value.names;
  if (names.size() < kLinearMembers) return std::find(names.begin(), names.end(), name) != names.end();
  if (frame.names.empty()) frame.names.insert(names.begin(), names.end());
  return !frame.names.insert(name).second;
}

bool ValueBuilder::Fail(std::string problem) {
  if (problem_.empty()) problem_ = std::move(problem);
  return false;
}

bool ValueBuilder::Boolean(bool value) {
  JsonValue json;
  json.kind = JsonValue::Kind::kBool;
  json.boolean = value;
  return Add(std::move(json));
}

bool ValueBuilder::Integer(std::int64_t value) {
  JsonValue json;
  json.kind = JsonValue::Kind::kInteger;
  json.integer = value;
  json.text = std::to_string(value);
  return Add(std::move(json));
}

bool ValueBuilder::Unsigned(std::uint64_t value) {
  if (value <= static_cast<std::uint64_t>(INT64_MAX)) return Integer(static_cast<std::int64_t>(value));
  return Number(std::to_string(value));
}

bool ValueBuilder::Number(std::string written) {
  return Text(JsonValue::Kind::kNumber, std::move(written));
}

bool ValueBuilder::Name(std::string name) {
  Frame& frame = stack_.back();
  if (IsDuplicate(frame, name)) return Fail(fmt::format("the member \"{}\" stands twice; give it once", name));
  frame.name = std::move(name);
  return true;
}

bool ValueBuilder::Text(JsonValue::Kind kind, std::string text) {
  JsonValue json;
  json.kind = kind;
  json.text = std::move(text);
  return Add(std::move(json));
}

bool ValueBuilder::Add(JsonValue json) {
  if (++values_ > limits_.max_values) {
    return Fail(fmt::format("holds more than {} values; send several requests", limits_.max_values));
  }
  if (stack_.empty()) {
    root_ = std::move(json);
  } else if (Frame& frame = stack_.back(); frame.value.kind == JsonValue::Kind::kArray) {
    frame.value.items.push_back(std::move(json));
  } else {
    frame.value.names.push_back(std::move(frame.name));
    frame.value.items.push_back(std::move(json));
  }
  return true;
}

bool ValueBuilder::Push(JsonValue::Kind kind) {
  if (stack_.size() == limits_.max_depth) {
    return Fail(fmt::format("nested deeper than {} levels; flatten it", limits_.max_depth));
  }
  stack_.emplace_back().value.kind = kind;
  return true;
}

bool ValueBuilder::Pop() {
  JsonValue json = std::move(stack_.back().value);
  stack_.pop_back();
  return Add(std::move(json));
}

}  // namespace holdfast::json
