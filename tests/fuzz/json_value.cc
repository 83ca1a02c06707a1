// A JSON document. What is accepted is UTF-8, within its depth, without a name twice, and reads back from its own text.
#include "service/json/json_value.h"

#include <set>
#include <string>

#include "service/api/encoding.h"
#include "tests/fuzz/input.h"

namespace holdfast::api {
namespace {

using fuzz::Check;
using Kind = json::JsonValue::Kind;

bool Same(const json::JsonValue& a, const json::JsonValue& b) {
  if (a.kind != b.kind || a.names != b.names || a.items.size() != b.items.size()) return false;
  if (a.kind == Kind::kBool && a.boolean != b.boolean) return false;
  if (a.kind == Kind::kInteger && a.integer != b.integer) return false;
  if ((a.kind == Kind::kString || a.kind == Kind::kNumber) && a.text != b.text) return false;
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    if (!Same(a.items[i], b.items[i])) return false;
  }
  return true;
}

void CheckTree(const json::JsonValue& json, std::size_t depth) {
  const json::JsonLimits limits;
  Check(depth <= limits.max_depth, "no deeper than its limit");
  if (json.kind == Kind::kString) Check(IsValidUtf8(json.text), "strings are UTF-8");
  if (json.kind == Kind::kInteger) Check(std::to_string(json.integer).size() <= 20, "integers fit");
  if (json.kind == Kind::kObject) {
    Check(json.names.size() == json.items.size(), "a value for every name");
    Check(std::set<std::string>(json.names.begin(), json.names.end()).size() == json.names.size(), "no name twice");
    for (const std::string& name : json.names) Check(IsValidUtf8(name), "names are UTF-8");
  }
  for (const json::JsonValue& item : json.items) CheckTree(item, depth + 1);
}

}  // namespace
}  // namespace holdfast::api

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::api;
  using holdfast::fuzz::Check;
  const std::string_view bytes = holdfast::fuzz::Input(data, size).Rest();
  const auto json = holdfast::json::ParseJson(bytes);
  if (!json.ok()) {
    Check(json.error().code() == holdfast::ErrorCode::kInvalidArgument, "refused as the client's mistake");
    Check(IsValidUtf8(json.error().message()), "the message can be sent");
    return 0;
  }
  Check(IsValidUtf8(bytes), "a document is UTF-8");
  CheckTree(*json, 0);
  const std::string text = json->ToText();
  const auto again = holdfast::json::ParseJson(text);
  Check(again.ok() && Same(*json, *again), "its own text reads back");
  Check(again->ToText() == text, "its own text is stable");
  return 0;
}
