#include "tests/misoperation/misoperations.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "base/config/settings.h"
#include "operator/api/v1/storage_cluster_fields.h"

namespace holdfast::misoperation {
namespace {

using api::Field;
using api::FieldType;
using Pointer = Json::json_pointer;

constexpr std::size_t kHuge = 70'000;  // characters
// Where a table sets no bound, our own is the type's.
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

struct Value {
  const char* what;
  Json value;
  bool refused;
};

// Something valid for the field, of its own required members only.
Json Minimal(const Field& field) {
  if (!field.default_value.is_null()) return field.default_value;
  switch (field.type) {
    case FieldType::kObject: {
      Json object = Json::object();
      for (const Field& member : field.fields) {
        const bool first_of_one = !field.exactly_one.empty() && member.name == field.exactly_one.front();
        if (member.required || first_of_one) object[member.name] = Minimal(member);
      }
      return object;
    }
    case FieldType::kList: {
      Json list = Json::array();
      for (std::size_t i = 0; i < field.min_items; ++i) list.push_back(Minimal(field.items.front()));
      return list;
    }
    case FieldType::kMap:
      return Json::object();
    case FieldType::kString:
      return field.choices.empty() ? "main" : field.choices.front();
    case FieldType::kInteger:
      return field.minimum.value_or(1);
    case FieldType::kBoolean:
      return false;
    case FieldType::kBytes:
      return "1Gi";  // as the volume of GoodSpec(), which autogrow.maxSize may not be below
    case FieldType::kQuantity:
      return "100m";
    case FieldType::kDuration:
      return "1h";
    case FieldType::kTime:
      return "2026-01-01T00:00:00Z";
  }
  std::abort();
}

Json WrongType(const Field& field) {
  const bool takes_numbers = field.type == FieldType::kInteger || field.type == FieldType::kQuantity;
  return takes_numbers ? Json::array({1}) : Json(7);
}

// One byte less or more than a size says.
std::string Beside(const std::string& quantity, int step) {
  const auto bytes = config::ParseBytes(quantity);
  if (!bytes.ok()) std::abort();
  return std::to_string(static_cast<std::int64_t>(*bytes) + step);
}

std::vector<Value> TextValues(const Field& field) {
  std::vector<Value> values{{"huge", std::string(kHuge, 'a'), true}};
  if (!field.choices.empty()) {
    for (const std::string& choice : field.choices) values.push_back({"a choice", choice, false});
    values.push_back({"no choice", "Sometimes", true});
    values.push_back({"empty", "", true});
    return values;
  }
  const bool has_form = field.type != FieldType::kString || !field.pattern.empty();
  values.push_back({"empty", "", has_form});
  values.push_back({"nonsense", "$(reboot); '\"\n\t\u202e", has_form});
  if (field.type == FieldType::kBytes) {
    if (!field.minimum_quantity.empty()) {
      values.push_back({"the minimum", field.minimum_quantity, false});
      values.push_back({"below the minimum", Beside(field.minimum_quantity, -1), true});
    }
    if (!field.maximum_quantity.empty()) {
      values.push_back({"the maximum", field.maximum_quantity, false});
      values.push_back({"above the maximum", Beside(field.maximum_quantity, 1), true});
    }
    for (const char* text : {"0", "-1Gi", "1.5Gi", "99999999999999999999Ti", "Gi"})
      values.push_back({"no size", text, true});
  } else if (field.type == FieldType::kDuration) {
    for (const char* text : {"0s", "-1h", "1", "1y"}) values.push_back({"no duration", text, true});
    values.push_back({"the longest", "9999d", false});
  } else if (field.type == FieldType::kQuantity) {
    for (const char* text : {"-1", "1e3", "1 Gi"}) values.push_back({"no quantity", text, true});
  } else if (field.type == FieldType::kString && field.max_length != 0 && !field.pattern.empty()) {
    values.push_back({"one too long", std::string(field.max_length + 1, 'a'), true});
  }
  return values;
}

Json ItemsBeyond(const Field& field) {
  Json items = Json::array();
  for (std::size_t i = 0; i <= field.max_items; ++i) {
    Json item = Minimal(field.items.front());
    if (!field.list_key.empty()) item[field.list_key] = "x" + std::to_string(i);
    items.push_back(std::move(item));
  }
  return items;
}

std::vector<Value> ValuesOf(const Field& field) {
  std::vector<Value> values{{"the wrong type", WrongType(field), true}, {"null", nullptr, false}};
  switch (field.type) {
    case FieldType::kInteger:
      values.push_back({"the minimum", field.minimum.value_or(0), false});
      values.push_back({"the maximum", field.maximum.value_or(kMost), false});
      if (field.minimum) values.push_back({"below the minimum", *field.minimum - 1, true});
      if (field.maximum) values.push_back({"above the maximum", *field.maximum + 1, true});
      values.push_back({"huge", kMost, field.maximum.has_value()});
      values.push_back({"a fraction", 1.5, true});
      values.push_back({"a text", "1", true});
      break;
    case FieldType::kBoolean:
      values.push_back({"true", true, false});
      values.push_back({"a text", "true", true});
      break;
    case FieldType::kList:
      values.push_back({"empty", Json::array(), field.min_items > 0});
      if (field.max_items != 0) values.push_back({"one too many", ItemsBeyond(field), true});
      break;
    case FieldType::kObject:
      values.push_back(
          {"empty", Json::object(),
           !field.exactly_one.empty() || std::any_of(field.fields.begin(), field.fields.end(), [](const Field& member) {
             return member.required && member.default_value.is_null();
           })});
      break;
    case FieldType::kMap:
      values.push_back({"empty", Json::object(), false});
      break;
    default:
      for (Value& value : TextValues(field)) values.push_back(std::move(value));
  }
  return values;
}

class Sweep {
 public:
  std::vector<Misoperation> Take() && { return std::move(found_); }

  // `spec` holds something valid at `at`.
  void Visit(const Field& field, const Json& spec, const Pointer& at, const std::string& path) {
    for (const Value& value : ValuesOf(field)) {
      Misoperation one{.path = path, .field = field.name, .what = value.what, .spec = spec};
      one.spec[at] = value.value;
      const bool needed = value.value.is_null() && field.required && field.default_value.is_null();
      one.must_be_refused = value.refused || needed;
      found_.push_back(std::move(one));
    }
    if (field.type == FieldType::kObject) VisitMembers(field, spec, at, path);
    if (field.type == FieldType::kList) {
      Json filled = spec;
      if (filled.at(at).empty()) filled[at].push_back(Minimal(field.items.front()));
      Field item = field.items.front();
      item.name = field.name;  // what an error about an item names
      Visit(item, filled, at / 0, path + "[0]");
    }
  }

  void VisitMembers(const Field& field, const Json& spec, const Pointer& at, const std::string& path) {
    for (const Field& member : field.fields) {
      const std::string member_path = path + "." + member.name;
      Json with = spec;
      Json& object = with[at];
      if (std::find(field.exactly_one.begin(), field.exactly_one.end(), member.name) != field.exactly_one.end()) {
        for (const std::string& other : field.exactly_one) {
          if (other != member.name) object.erase(other);
        }
      }
      if (!object.contains(member.name)) object[member.name] = Minimal(member);
      if (member.later.empty()) {
        Visit(member, with, at / member.name, member_path);
      } else {
        found_.push_back({member_path, member.name, "of a later release", std::move(with), true});
      }
    }
  }

 private:
  std::vector<Misoperation> found_;
};

}  // namespace

Json GoodSpec() {
  return Json::parse(R"({"backends": [{"name": "local", "embedded": {"storage": {"size": "1Gi"}}}],
                         "stores": [{"name": "main", "backend": "local"}], "service": {"replicas": 1}})");
}

std::vector<Misoperation> Misoperations() {
  for (const Field& field : api::StorageClusterFields().fields) {
    if (field.name != "spec") continue;
    Sweep sweep;
    sweep.VisitMembers(field, GoodSpec(), Pointer(), "spec");
    return std::move(sweep).Take();
  }
  std::abort();
}

}  // namespace holdfast::misoperation
