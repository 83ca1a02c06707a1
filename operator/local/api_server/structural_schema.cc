#include "operator/local/api_server/structural_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <regex>
#include <set>

#include "operator/local/api_server/json_access.h"

namespace holdfast::local {
namespace {

// std::regex recurses per character: tens of thousands of them end the process.
constexpr std::size_t kLongestMatchedText = 4096;

const Json* SubSchema(const Json& schema, const char* keyword) {
  const Json* found = FindField(schema, {keyword});
  return found != nullptr && found->is_object() ? found : nullptr;
}

std::string Join(const std::string& path, const std::string& field) {
  return path.empty() ? field : path + "." + field;
}

void PruneBelow(Json& value, const Json& schema, const std::string& path, bool root, std::vector<std::string>* pruned) {
  if (value.is_array()) {
    const Json* items = SubSchema(schema, "items");
    for (std::size_t i = 0; items != nullptr && i < value.size(); ++i) {
      PruneBelow(value[i], *items, fmt::format("{}[{}]", path, i), false, pruned);
    }
    return;
  }
  if (!value.is_object()) return;
  bool keep_unknown = BoolAt(schema, {"x-kubernetes-preserve-unknown-fields"});
  bool keep_identity = root || BoolAt(schema, {"x-kubernetes-embedded-resource"});
  const Json* any = SubSchema(schema, "additionalProperties");
  keep_unknown = keep_unknown || BoolAt(schema, {"additionalProperties"});
  for (auto field = value.begin(); field != value.end();) {
    const std::string name = field.key();
    bool identity = keep_identity && (name == "apiVersion" || name == "kind" || name == "metadata");
    const Json* declared = FindField(schema, {"properties", name});
    if (declared == nullptr) declared = any;
    if (declared != nullptr && !identity) {
      PruneBelow(*field, *declared, Join(path, name), false, pruned);
    } else if (!identity && !keep_unknown) {
      pruned->push_back(Join(path, name));
      field = value.erase(field);
      continue;
    }
    ++field;
  }
}

std::string_view TypeNameOf(const Json& value) {
  if (value.is_object()) return "object";
  if (value.is_array()) return "array";
  if (value.is_string()) return "string";
  if (value.is_boolean()) return "boolean";
  if (value.is_number_integer()) return "integer";
  return value.is_null() ? "null" : "number";
}

bool HasType(const Json& value, const std::string& type) {
  if (type == "number") return value.is_number();
  if (type == "integer") {
    return value.is_number_integer() ||
           (value.is_number_float() && std::trunc(value.get<double>()) == value.get<double>());
  }
  return TypeNameOf(value) == type;
}

std::size_t CodePoints(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char each) { return (static_cast<unsigned char>(each) & 0xC0) != 0x80; }));
}

class Validator {
 public:
  void Check(const Json& value, const Json& schema, const std::string& path, bool root);
  std::vector<FieldError> TakeErrors() { return std::move(errors_); }

 private:
  void Add(std::string reason, const std::string& path, std::string message) {
    errors_.push_back({std::move(reason), path.empty() ? "<nil>" : path, std::move(message)});
  }
  void Invalid(const Json& value, const std::string& path, const std::string& detail) {
    Add("FieldValueInvalid", path, fmt::format("Invalid value: {}: {} in body {}", value.dump(), path, detail));
  }
  bool CheckType(const Json& value, const Json& schema, const std::string& path);
  void CheckEnum(const Json& value, const Json& schema, const std::string& path);
  void CheckNumber(const Json& value, const Json& schema, const std::string& path);
  void CheckString(const Json& value, const Json& schema, const std::string& path);
  void CheckArray(const Json& value, const Json& schema, const std::string& path);
  void CheckObject(const Json& value, const Json& schema, const std::string& path, bool root);
  void CheckCombinations(const Json& value, const Json& schema, const std::string& path);
  static bool Matches(const Json& value, const Json& schema, const std::string& path);

  std::vector<FieldError> errors_;
};

bool Validator::CheckType(const Json& value, const Json& schema, const std::string& path) {
  if (value.is_null() && BoolAt(schema, {"nullable"})) return false;
  if (BoolAt(schema, {"x-kubernetes-int-or-string"})) {
    if (value.is_string() || value.is_number_integer()) return true;
    Add("FieldValueTypeInvalid", path,
        fmt::format("Invalid value: \"{0}\": {1} in body must be of type integer,string: \"{0}\"", TypeNameOf(value),
                    path));
    return false;
  }
  std::string type = TextAt(schema, {"type"});
  if (type.empty() || HasType(value, type)) return true;
  Add("FieldValueTypeInvalid", path,
      fmt::format("Invalid value: \"{0}\": {1} in body must be of type {2}: \"{0}\"", TypeNameOf(value), path, type));
  return false;
}

void Validator::CheckEnum(const Json& value, const Json& schema, const std::string& path) {
  const Json& allowed = ArrayAt(schema, {"enum"});
  if (allowed.empty() || std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return;
  std::string names;
  for (const Json& each : allowed) names += (names.empty() ? "" : ", ") + each.dump();
  Add("FieldValueNotSupported", path, fmt::format("Unsupported value: {}: supported values: {}", value.dump(), names));
}

void Validator::CheckNumber(const Json& value, const Json& schema, const std::string& path) {
  double number = value.get<double>();
  if (const Json* least = FindField(schema, {"minimum"}); least != nullptr && least->is_number()) {
    bool exclusive = BoolAt(schema, {"exclusiveMinimum"});
    if (number < least->get<double>() || (exclusive && number == least->get<double>())) {
      Invalid(value, path, fmt::format("should be greater than {}{}", exclusive ? "" : "or equal to ", least->dump()));
    }
  }
  if (const Json* most = FindField(schema, {"maximum"}); most != nullptr && most->is_number()) {
    bool exclusive = BoolAt(schema, {"exclusiveMaximum"});
    if (number > most->get<double>() || (exclusive && number == most->get<double>())) {
      Invalid(value, path, fmt::format("should be less than {}{}", exclusive ? "" : "or equal to ", most->dump()));
    }
  }
}

void Validator::CheckString(const Json& value, const Json& schema, const std::string& path) {
  const std::string& text = value.get_ref<const std::string&>();
  auto length = static_cast<std::int64_t>(CodePoints(text));
  if (std::int64_t most = IntegerAt(schema, {"maxLength"}, -1); most >= 0 && length > most) {
    Add("FieldValueTooLong", path, fmt::format("Too long: may not be more than {} bytes", most));
  }
  if (std::int64_t least = IntegerAt(schema, {"minLength"}, 0); length < least) {
    Invalid(value, path, fmt::format("should be at least {} chars long", least));
  }
  std::string pattern = TextAt(schema, {"pattern"});
  if (pattern.empty()) return;
  if (text.size() > kLongestMatchedText) {
    Add("FieldValueTooLong", path, fmt::format("Too long to be matched with '{}': may not be more than {} bytes here",
                                               pattern, kLongestMatchedText));
    return;
  }
  try {
    if (!std::regex_search(text, std::regex(pattern, std::regex::ECMAScript))) {
      Invalid(value, path, fmt::format("should match '{}'", pattern));
    }
  } catch (const std::regex_error&) {
    // The pattern is one this library cannot read (RE2 syntax); the real server decides.
  }
}

void Validator::CheckArray(const Json& value, const Json& schema, const std::string& path) {
  auto size = static_cast<std::int64_t>(value.size());
  if (std::int64_t most = IntegerAt(schema, {"maxItems"}, -1); most >= 0 && size > most) {
    Add("FieldValueTooMany", path, fmt::format("Too many: {}: must have at most {} items", size, most));
  }
  if (std::int64_t least = IntegerAt(schema, {"minItems"}, 0); size < least) {
    Invalid(value, path, fmt::format("should have at least {} items", least));
  }
  const Json* items = SubSchema(schema, "items");
  for (std::size_t i = 0; items != nullptr && i < value.size(); ++i) {
    Check(value[i], *items, fmt::format("{}[{}]", path, i), false);
  }
  std::string kind = TextAt(schema, {"x-kubernetes-list-type"});
  if (kind != "map" && kind != "set") return;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < value.size(); ++i) {
    Json identity = value[i];
    if (kind == "map") {
      identity = Json::object();
      for (const Json& key : ArrayAt(schema, {"x-kubernetes-list-map-keys"})) {
        if (!key.is_string()) continue;
        std::string name = key.get<std::string>();
        if (const Json* part = FindField(value[i], {name})) identity[name] = *part;
      }
    }
    if (!seen.insert(identity.dump()).second) {
      Add("FieldValueDuplicate", fmt::format("{}[{}]", path, i), "Duplicate value: " + identity.dump());
    }
  }
}

void Validator::CheckObject(const Json& value, const Json& schema, const std::string& path, bool root) {
  for (const Json& name : ArrayAt(schema, {"required"})) {
    if (name.is_string() && !value.contains(name.get<std::string>())) {
      Add("FieldValueRequired", Join(path, name.get<std::string>()), "Required value");
    }
  }
  auto size = static_cast<std::int64_t>(value.size());
  if (std::int64_t most = IntegerAt(schema, {"maxProperties"}, -1); most >= 0 && size > most) {
    Add("FieldValueTooMany", path, fmt::format("Too many: {}: must have at most {} items", size, most));
  }
  if (std::int64_t least = IntegerAt(schema, {"minProperties"}, 0); size < least) {
    Invalid(value, path, fmt::format("should have at least {} properties", least));
  }
  const Json* any = SubSchema(schema, "additionalProperties");
  for (const auto& [name, below] : value.items()) {
    if (root && (name == "apiVersion" || name == "kind" || name == "metadata")) continue;
    const Json* declared = FindField(schema, {"properties", name});
    if (declared == nullptr) declared = any;
    if (declared != nullptr) Check(below, *declared, Join(path, name), false);
  }
}

bool Validator::Matches(const Json& value, const Json& schema, const std::string& path) {
  Validator inner;
  inner.Check(value, schema, path, false);
  return inner.errors_.empty();
}

void Validator::CheckCombinations(const Json& value, const Json& schema, const std::string& path) {
  for (const Json& each : ArrayAt(schema, {"allOf"})) Check(value, each, path, false);
  auto matching = [&](const char* keyword) {
    const Json& all = ArrayAt(schema, {keyword});
    return std::count_if(all.begin(), all.end(), [&](const Json& each) { return Matches(value, each, path); });
  };
  if (schema.contains("anyOf") && matching("anyOf") == 0)
    Invalid(value, path, "must validate at least one schema (anyOf)");
  if (schema.contains("oneOf") && matching("oneOf") != 1)
    Invalid(value, path, "must validate one and only one schema (oneOf)");
  if (const Json* never = SubSchema(schema, "not"); never != nullptr && Matches(value, *never, path)) {
    Invalid(value, path, "must not validate the schema (not)");
  }
}

void Validator::Check(const Json& value, const Json& schema, const std::string& path, bool root) {
  if (!CheckType(value, schema, path)) return;
  CheckEnum(value, schema, path);
  if (value.is_number()) CheckNumber(value, schema, path);
  if (value.is_string()) CheckString(value, schema, path);
  if (value.is_array()) CheckArray(value, schema, path);
  if (value.is_object()) CheckObject(value, schema, path, root);
  CheckCombinations(value, schema, path);
}

}  // namespace

std::vector<std::string> PruneUnknownFields(Json& object, const Json& schema) {
  std::vector<std::string> pruned;
  PruneBelow(object, schema, "", true, &pruned);
  return pruned;
}

void ApplySchemaDefaults(Json& value, const Json& schema) {
  if (value.is_array()) {
    if (const Json* items = SubSchema(schema, "items")) {
      for (Json& item : value) ApplySchemaDefaults(item, *items);
    }
    return;
  }
  if (!value.is_object()) return;
  for (const auto& [name, declared] : ObjectAt(schema, {"properties"}).items()) {
    auto field = value.find(name);
    const Json* by_default = FindField(declared, {"default"});
    bool replaceable_null = field != value.end() && field->is_null() && !BoolAt(declared, {"nullable"});
    if (by_default != nullptr && (field == value.end() || replaceable_null)) value[name] = *by_default;
    if (field = value.find(name); field != value.end()) ApplySchemaDefaults(*field, declared);
  }
  if (const Json* any = SubSchema(schema, "additionalProperties")) {
    for (auto& [name, below] : value.items()) {
      if (FindField(schema, {"properties", name}) == nullptr) ApplySchemaDefaults(below, *any);
    }
  }
}

std::vector<FieldError> ValidateAgainstSchema(const Json& object, const Json& schema) {
  Validator validator;
  validator.Check(object, schema, "", true);
  return validator.TakeErrors();
}

}  // namespace holdfast::local
