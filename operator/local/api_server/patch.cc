#include "operator/local/api_server/patch.h"

#include <algorithm>

#include "operator/local/api_server/json_access.h"

namespace holdfast::local {
namespace {

constexpr std::string_view kDeleteFromList = "$deleteFromPrimitiveList/";

Json::iterator ItemWithKey(Json& list, const std::string& key, const Json* value) {
  return std::find_if(list.begin(), list.end(), [&](const Json& item) {
    const Json* found = FindField(item, {key});
    return value != nullptr && found != nullptr && *found == *value;
  });
}

Json MergeKeyedList(Json list, const Json& patch, const FieldType& type, const std::string& key) {
  for (const Json& item : patch) {
    if (TextAt(item, {"$patch"}) == "replace") {
      Json replaced = Json::array();
      for (const Json& each : patch) {
        if (!each.contains("$patch")) replaced.push_back(each);
      }
      return replaced;
    }
  }
  for (const Json& item : patch) {
    auto mine = ItemWithKey(list, key, FindField(item, {key}));
    if (TextAt(item, {"$patch"}) == "delete") {
      if (mine != list.end()) list.erase(mine);
    } else if (mine == list.end()) {
      list.push_back(StrategicMergePatch(Json::object(), item, type.Item()));
    } else {
      *mine = StrategicMergePatch(*mine, item, type.Item());
    }
  }
  return list;
}

}  // namespace

Json MergePatch(Json target, const Json& patch) {
  target.merge_patch(patch);
  return target;
}

Answer<Json> JsonPatch(const Json& target, const Json& patch) {
  if (!patch.is_array()) return errors::BadRequest("a JSON patch is a list of operations");
  try {
    return target.patch(patch);
  } catch (const Json::exception&) {
    return errors::Unprocessable();
  }
}

Json StrategicMergePatch(Json target, const Json& patch, FieldType type) {
  if (!patch.is_object()) return patch;
  if (TextAt(patch, {"$patch"}) == "replace") {
    Json replaced = patch;
    replaced.erase("$patch");
    return replaced;
  }
  if (!target.is_object()) target = Json::object();
  for (const auto& [name, value] : patch.items()) {
    if (name.starts_with(kDeleteFromList)) {
      Json& list = target[name.substr(kDeleteFromList.size())];
      if (!list.is_array()) continue;
      Json left = Json::array();
      std::copy_if(list.begin(), list.end(), std::back_inserter(left), [&value = value](const Json& item) {
        return std::find(value.begin(), value.end(), item) == value.end();
      });
      list = std::move(left);
    } else if (name.starts_with("$")) {
      continue;
    } else if (value.is_null() || TextAt(value, {"$patch"}) == "delete") {
      target.erase(name);
    } else {
      FieldType field = type.Field(name);
      std::string key = field.MergeKey();
      Json& mine = target[name];
      if (value.is_array() && !key.empty()) {
        mine = MergeKeyedList(mine.is_array() ? std::move(mine) : Json::array(), value, field, key);
      } else if (value.is_array() && field.ListKind() == FieldType::List::kSet && mine.is_array()) {
        for (const Json& item : value) {
          if (std::find(mine.begin(), mine.end(), item) == mine.end()) mine.push_back(item);
        }
      } else if (value.is_object()) {
        mine = StrategicMergePatch(std::move(mine), value, field);
      } else {
        mine = value;
      }
    }
  }
  return target;
}

}  // namespace holdfast::local
