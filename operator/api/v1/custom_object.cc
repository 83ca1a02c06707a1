#include "operator/api/v1/custom_object.h"

#include "base/time/duration.h"
#include "operator/api/v1/storage_cluster.h"

namespace holdfast::api {
namespace {

Json Described(const Field& fields, const Json& object) {
  Json described = Json::object();
  if (object.contains("spec")) described["spec"] = object.at("spec");
  ApplyDefaults(fields, described);
  return described;
}

}  // namespace

std::string TextOf(const Json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? member->get<std::string>() : std::string();
}

std::int64_t NumberOf(const Json& object, const char* name) {
  if (!object.is_object()) return 0;
  const auto member = object.find(name);
  return member != object.end() && member->is_number_integer() ? member->get<std::int64_t>() : 0;
}

std::optional<Timestamp> TimeOf(const Json& object, const char* name) {
  const auto time = ParseTimestamp(TextOf(object, name));
  return time.ok() ? std::optional(*time) : std::nullopt;
}

void PutTime(const char* name, const std::optional<Timestamp>& time, Json* object) {
  if (time) (*object)[name] = FormatTimestamp(*time);
}

void PutText(const char* name, const std::string& text, Json* object) {
  if (!text.empty()) (*object)[name] = text;
}

ObjectMetadata MetadataOf(const Json& object) {
  const auto found = object.find("metadata");
  if (found == object.end() || !found->is_object()) return {};
  return {.ns = TextOf(*found, "namespace"),
          .name = TextOf(*found, "name"),
          .uid = TextOf(*found, "uid"),
          .generation = NumberOf(*found, "generation"),
          .created = TimeOf(*found, "creationTimestamp").value_or(Timestamp{}),
          .being_deleted = found->contains("deletionTimestamp")};
}

Json CheckedSpec(const Field& fields, const char* kind, const Json& object, const Json* old,
                 std::vector<FieldError>* errors) {
  if (!object.is_object()) {
    errors->push_back({"", "must be an object, not " + std::string(object.type_name())});
    return nullptr;
  }
  if (TextOf(object, "apiVersion") != kApiVersion) {
    errors->push_back({"apiVersion", "must be " + std::string(kApiVersion)});
  }
  if (TextOf(object, "kind") != kind) errors->push_back({"kind", std::string("must be ") + kind});
  if (!errors->empty()) return nullptr;
  Json described = Described(fields, object);
  Json former;
  const bool compares = old != nullptr && old->is_object();
  if (compares) former = Described(fields, *old);
  Validate(fields, described, compares ? &former : nullptr, "", errors);
  if (!errors->empty()) return nullptr;
  return std::move(described.at("spec"));
}

}  // namespace holdfast::api
