#include "service/json/json_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "service/json/json_writer.h"
#include "service/json/value_builder.h"

namespace holdfast::json {
namespace {

// nlohmann's reader, feeding the builder.
class Adapter : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Adapter(ValueBuilder* builder) : builder_(builder) {}

  bool null() override { return builder_->Null(); }
  bool boolean(bool value) override { return builder_->Boolean(value); }
  bool number_integer(number_integer_t value) override { return builder_->Integer(value); }
  bool number_unsigned(number_unsigned_t value) override { return builder_->Unsigned(value); }
  bool number_float(number_float_t, const string_t& written) override { return builder_->Number(written); }
  bool string(string_t& value) override { return builder_->String(std::move(value)); }
  bool binary(binary_t&) override { return builder_->Fail("binary data is not JSON"); }
  bool start_object(std::size_t) override { return builder_->BeginObject(); }
  bool key(string_t& name) override { return builder_->Name(std::move(name)); }
  bool end_object() override { return builder_->EndObject(); }
  bool start_array(std::size_t) override { return builder_->BeginArray(); }
  bool end_array() override { return builder_->EndArray(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    // 406: a number out of range; the library's other texts quote the input at length.
    return builder_->Fail(error.id == 406
                              ? fmt::format("a number at byte {} is out of range", position)
                              : fmt::format("not valid JSON at byte {}; send one UTF-8 JSON document", position));
  }

 private:
  ValueBuilder* const builder_;
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
    case JsonValue::Kind::kBytes:
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
    case JsonValue::Kind::kBytes:
      return "bytes";
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
  ValueBuilder builder(limits);
  Adapter adapter(&builder);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &adapter)) {
    return Error(ErrorCode::kInvalidArgument, builder.problem());
  }
  return builder.Take();
}

bool HoldsBytes(const JsonValue& value) {
  return value.kind == JsonValue::Kind::kBytes || std::any_of(value.items.begin(), value.items.end(), HoldsBytes);
}

}  // namespace holdfast::json
