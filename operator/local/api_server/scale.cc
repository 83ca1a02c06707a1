#include "operator/local/api_server/scale.h"

#include "operator/local/api_server/json_access.h"

namespace holdfast::local {
namespace {

// ".spec.replicas" as "/spec/replicas".
Json::json_pointer Pointer(const std::string& path) {
  std::string pointer = path;
  for (char& each : pointer) {
    if (each == '.') each = '/';
  }
  return Json::json_pointer(pointer);
}

std::int64_t Replicas(const Json& object, const std::string& path) {
  if (path.empty()) return 0;
  Json::json_pointer pointer = Pointer(path);
  return object.contains(pointer) && object[pointer].is_number() ? object[pointer].get<std::int64_t>() : 0;
}

}  // namespace

Json ScaleOf(const Json& object, const ScalePaths& paths) {
  Json scale = {{"kind", "Scale"},
                {"apiVersion", "autoscaling/v1"},
                {"metadata", Json::object()},
                {"spec", {{"replicas", Replicas(object, paths.replicas)}}},
                {"status", {{"replicas", Replicas(object, paths.status_replicas)}}}};
  for (const char* field : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    if (const Json* value = FindField(object, {"metadata", field})) scale["metadata"][field] = *value;
  }
  if (!paths.selector.empty()) {
    Json::json_pointer pointer = Pointer(paths.selector);
    if (object.contains(pointer) && object[pointer].is_string()) scale["status"]["selector"] = object[pointer];
  }
  return scale;
}

Answer<Json> WithReplicas(const Json& object, const Json& scale, const ScalePaths& paths) {
  const Json* replicas = FindField(scale, {"spec", "replicas"});
  if (replicas == nullptr || !replicas->is_number_integer() || replicas->get<std::int64_t>() < 0) {
    return errors::Invalid("Scale.autoscaling", NameOf(object),
                           {InvalidValue("spec.replicas", replicas == nullptr ? Json() : *replicas,
                                         "must be greater than or equal to 0")});
  }
  Json scaled = object;
  scaled[Pointer(paths.replicas)] = *replicas;
  std::string revision = TextAt(scale, {"metadata", "resourceVersion"});
  if (!revision.empty()) scaled["metadata"]["resourceVersion"] = revision;
  return scaled;
}

}  // namespace holdfast::local
