#include "operator/local/api_server/json_access.h"

#include <algorithm>

namespace holdfast::local {

const Json* FindField(const Json& object, FieldPath path) {
  const Json* current = &object;
  for (std::string_view step : path) {
    if (!current->is_object()) return nullptr;
    auto found = current->find(std::string(step));
    if (found == current->end()) return nullptr;
    current = &*found;
  }
  return current;
}

Json* FindField(Json* object, FieldPath path) {
  return const_cast<Json*>(FindField(*object, path));
}

std::string TextAt(const Json& object, FieldPath path) {
  const Json* found = FindField(object, path);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t IntegerAt(const Json& object, FieldPath path, std::int64_t otherwise) {
  const Json* found = FindField(object, path);
  return found != nullptr && found->is_number() ? found->get<std::int64_t>() : otherwise;
}

bool BoolAt(const Json& object, FieldPath path, bool otherwise) {
  const Json* found = FindField(object, path);
  return found != nullptr && found->is_boolean() ? found->get<bool>() : otherwise;
}

const Json& ArrayAt(const Json& object, FieldPath path) {
  static const Json kEmpty = Json::array();
  const Json* found = FindField(object, path);
  return found != nullptr && found->is_array() ? *found : kEmpty;
}

const Json& ObjectAt(const Json& object, FieldPath path) {
  static const Json kEmpty = Json::object();
  const Json* found = FindField(object, path);
  return found != nullptr && found->is_object() ? *found : kEmpty;
}

std::string NameOf(const Json& object) {
  return TextAt(object, {"metadata", "name"});
}
std::string NamespaceOf(const Json& object) {
  return TextAt(object, {"metadata", "namespace"});
}
std::string UidOf(const Json& object) {
  return TextAt(object, {"metadata", "uid"});
}

bool IsTerminating(const Json& object) {
  const Json* when = FindField(object, {"metadata", "deletionTimestamp"});
  return when != nullptr && when->is_string();
}

bool HasFinalizer(const Json& object, std::string_view finalizer) {
  const Json& finalizers = ArrayAt(object, {"metadata", "finalizers"});
  return std::any_of(finalizers.begin(), finalizers.end(),
                     [&](const Json& each) { return each.is_string() && each.get<std::string>() == finalizer; });
}

Json& EnsureObject(Json& object, FieldPath path) {
  Json* current = &object;
  if (!current->is_object()) *current = Json::object();
  for (std::string_view step : path) {
    current = &(*current)[std::string(step)];
    if (!current->is_object()) *current = Json::object();
  }
  return *current;
}

void SetDefault(Json& object, const std::string& field, Json value) {
  Json& present = object[field];
  if (present.is_null()) present = std::move(value);
}

void EraseField(Json& object, FieldPath parent, std::string_view name) {
  const Json* found = FindField(object, parent);
  if (found != nullptr && found->is_object()) const_cast<Json*>(found)->erase(std::string(name));
}

}  // namespace holdfast::local
