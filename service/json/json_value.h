// A request's JSON, read strictly: duplicate member names, NaN and infinities, invalid UTF-8, numbers that do not fit
// and anything behind the document are refused. Nothing is repaired.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"

namespace holdfast::json {

struct JsonValue {
  enum class Kind { kNull, kBool, kInteger, kNumber, kString, kArray, kObject, kBytes };
  Kind kind = Kind::kNull;
  bool boolean = false;
  std::int64_t integer = 0;        // kInteger: a whole number that fits 64 signed bits
  std::string text;                // kString, kBytes: itself. kInteger, kNumber: as it was written
  std::vector<std::string> names;  // of an object's members, in the order given
  std::vector<JsonValue> items;    // of an array; of an object, the value of each name

  // Of an object; nullptr when absent.
  const JsonValue* Find(std::string_view name) const;
  JsonValue* Find(std::string_view name);
  // Compact JSON text that reads back as the same value. Not for values that hold bytes.
  std::string ToText() const;
};

// "a string", "an object", ...: for messages.
std::string_view KindName(JsonValue::Kind kind);

struct JsonLimits {
  std::size_t max_depth = 64;
  // A value costs some hundred bytes of memory and may be written in two: bounds what a small body can blow up to.
  std::size_t max_values = 1'000'000;
};

// Whether a byte string stands in it anywhere; only the binary formats have them (binary_reader.h).
bool HoldsBytes(const JsonValue& value);

// kInvalidArgument says what is wrong and at which byte.
Result<JsonValue> ParseJson(std::string_view text, const JsonLimits& limits = {});

}  // namespace holdfast::json
