// Puts a JsonValue together from what a reader finds, and holds it to the rules that are the same in every format:
// depth, number of values, no member twice.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "service/json/json_value.h"

namespace holdfast::json {

// The reader calls in order, as for a well-formed document. Every call but Take is false when a rule is broken: then
// the reader stops, and problem() says what it was.
class ValueBuilder {
 public:
  explicit ValueBuilder(const JsonLimits& limits) : limits_(limits) {}

  bool Null() { return Add({}); }
  bool Boolean(bool value);
  bool Integer(std::int64_t value);
  // kInteger when it fits 64 signed bits.
  bool Unsigned(std::uint64_t value);
  // As JSON writes it.
  bool Number(std::string written);
  bool String(std::string text) { return Text(JsonValue::Kind::kString, std::move(text)); }
  bool Bytes(std::string bytes) { return Text(JsonValue::Kind::kBytes, std::move(bytes)); }
  bool BeginObject() { return Push(JsonValue::Kind::kObject); }
  bool Name(std::string name);
  bool EndObject() { return Pop(); }
  bool BeginArray() { return Push(JsonValue::Kind::kArray); }
  bool EndArray() { return Pop(); }

  // Always false. The first problem is kept.
  bool Fail(std::string problem);
  const std::string& problem() const { return problem_; }
  JsonValue Take() { return std::move(root_); }

 private:
  struct Frame {
    JsonValue value;
    std::string name;
    std::unordered_set<std::string> names;  // only of objects with many members
  };

  static bool IsDuplicate(Frame& frame, const std::string& name);
  bool Text(JsonValue::Kind kind, std::string text);
  bool Add(JsonValue json);
  bool Push(JsonValue::Kind kind);
  bool Pop();

  const JsonLimits limits_;
  std::size_t values_ = 0;
  std::vector<Frame> stack_;
  JsonValue root_;
  std::string problem_;
};

}  // namespace holdfast::json
