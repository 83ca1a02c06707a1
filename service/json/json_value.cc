#include "service/json/json_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "service/json/json_writer.h"

namespace holdfast::json {
namespace {

// Objects with more members than this look for duplicates in a set: a linear search would be quadratic.
constexpr std::size_t kLinearMembers = 16;

class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(const JsonLimits& limits) : limits_(limits) {}

  bool null() override { return Add({}); }
  bool boolean(bool value) override {
    JsonValue json;
    json.kind = JsonValue::Kind::kBool;
    json.boolean = value;
    return Add(std::move(json));
  }
  bool number_integer(number_integer_t value) override { return AddInteger(value); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value <= static_cast<number_unsigned_t>(INT64_MAX)) return AddInteger(static_cast<std::int64_t>(value));
    return AddNumber(std::to_string(value));
  }
  bool number_float(number_float_t, const string_t& written) override { return AddNumber(written); }
  bool string(string_t& value) override {
    JsonValue json;
    json.kind = JsonValue::Kind::kString;
    json.text = std::move(value);
    return Add(std::move(json));
  }
  bool binary(binary_t&) override { return Fail("binary data is not JSON"); }
  bool start_object(std::size_t) override { return Push(JsonValue::Kind::kObject); }
  bool key(string_t& name) override {
    Frame& frame = stack_.back();
    if (IsDuplicate(frame, name)) return Fail(fmt::format("the member \"{}\" stands twice; give it once", name));
    frame.key = std::move(name);
    return true;
  }
  bool end_object() override { return Pop(); }
  bool start_array(std::size_t) override { return Push(JsonValue::Kind::kArray); }
  bool end_array() override { return Pop(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    // 406: a number out of range; the library's other texts quote the input at length.
    return Fail(error.id == 406 ? fmt::format("a number at byte {} is out of range", position)
                                : fmt::format("not valid JSON at byte {}; send one UTF-8 JSON document", position));
  }

  JsonValue Take() { return std::move(root_); }
  const std::string& problem() const { return problem_; }

 private:
  struct Frame {
    JsonValue value;
    std::string key;
    std::unordered_set<std::string> names;  // only of objects with many members
  };

  static bool IsDuplicate(Frame& frame, const std::string& name) {
    const std::vector<std::string>& names = frame.value.names;
    if (names.size() < kLinearMembers) return std::find(names.begin(), names.end(), name) != names.end();
    if (frame.names.empty()) frame.names.insert(names.begin(), names.end());
    return !frame.names.insert(name).second;
  }

  bool Fail(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
    return false;
  }
  bool AddInteger(std::int64_t value) {
    JsonValue json;
    json.kind = JsonValue::Kind::kInteger;
    json.integer = value;
    json.text = std::to_string(value);
    return Add(std::move(json));
  }
  bool AddNumber(std::string written) {
    JsonValue json;
    json.kind = JsonValue::Kind::kNumber;
    json.text = std::move(written);
    return Add(std::move(json));
  }
  bool Add(JsonValue json) {
    if (++values_ > limits_.max_values) {
      return Fail(fmt::format("holds more than {} values; send several requests", limits_.max_values));
    }
    if (stack_.empty()) {
      root_ = std::move(json);
    } else if (Frame& frame = stack_.back(); frame.value.kind == JsonValue::Kind::kArray) {
      frame.value.items.push_back(std::move(json));
    } else {
      frame.value.names.push_back(std::move(frame.key));
      frame.value.items.push_back(std::move(json));
    }
    return true;
  }
  bool Push(JsonValue::Kind kind) {
    if (stack_.size() == limits_.max_depth) {
      return Fail(fmt::format("nested deeper than {} levels; flatten it", limits_.max_depth));
    }
    stack_.emplace_back().value.kind = kind;
    return true;
  }
  bool Pop() {
    JsonValue json = std::move(stack_.back().value);
    stack_.pop_back();
    return Add(std::move(json));
  }

  JsonLimits limits_;
  std::size_t values_ = 0;
  std::vector<Frame> stack_;
  JsonValue root_;
  std::string problem_;
};

void Write(const JsonValue& json, JsonWriter* out) {
  switch (json.kind) {
    case JsonValue::Kind::kNull:
      out->Raw("null");
      break;
    case JsonValue::Kind::kBool:
      out->Bool(json.boolean);
      break;
    case JsonValue::Kind::kInteger:
    case JsonValue::Kind::kNumber:
      out->Raw(json.text);
      break;
    case JsonValue::Kind::kString:
      out->String(json.text);
      break;
    case JsonValue::Kind::kArray:
      out->BeginArray();
      for (const JsonValue& item : json.items) Write(item, out);
      out->EndArray();
      break;
    case JsonValue::Kind::kObject:
      out->BeginObject();
      for (std::size_t i = 0; i < json.names.size(); ++i) {
        out->Key(json.names[i]);
        Write(json.items[i], out);
      }
      out->EndObject();
  }
}

}  // namespace

const JsonValue* JsonValue::Find(std::string_view name) const {
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? nullptr : &items[static_cast<std::size_t>(found - names.begin())];
}

JsonValue* JsonValue::Find(std::string_view name) {
  return const_cast<JsonValue*>(std::as_const(*this).Find(name));
}

std::string JsonValue::ToText() const {
  JsonWriter out;
  Write(*this, &out);
  return out.Take();
}

std::string_view KindName(JsonValue::Kind kind) {
  switch (kind) {
    case JsonValue::Kind::kNull:
      return "null";
    case JsonValue::Kind::kBool:
      return "a boolean";
    case JsonValue::Kind::kInteger:
      return "an integer";
    case JsonValue::Kind::kNumber:
      return "a number";
    case JsonValue::Kind::kString:
      return "a string";
    case JsonValue::Kind::kArray:
      return "an array";
    case JsonValue::Kind::kObject:
      return "an object";
  }
  return "a value";
}

Result<JsonValue> ParseJson(std::string_view text, const JsonLimits& limits) {
  // The library takes a NUL outside of strings for the end, and would drop what stands behind it unread.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("not valid JSON at byte {}; send one UTF-8 JSON document", nul + 1));
  }
  Builder builder(limits);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) {
    return Error(ErrorCode::kInvalidArgument, builder.problem());
  }
  return builder.Take();
}

}  // namespace holdfast::json
