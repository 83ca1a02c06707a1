#include "operator/controllers/storagemigration/rollout.h"

#include "base/config/yaml.h"
#include "operator/resources/build.h"
#include "operator/resources/names.h"

namespace holdfast::storagemigration {
namespace {

using kube::Json;

// Of the workload's template, and of a pod.
std::string ChecksumAt(const Json& object, const char* metadata) {
  const Json::json_pointer path = Json::json_pointer(metadata) / "annotations" / resources::kConfigChecksumAnnotation;
  return object.contains(path) && object.at(path).is_string() ? object.at(path).get<std::string>() : std::string();
}

std::int64_t NumberAt(const Json& object, const char* pointer) {
  const Json::json_pointer path(pointer);
  return object.contains(path) && object.at(path).is_number_integer() ? object.at(path).get<std::int64_t>() : 0;
}

bool NamesTheTarget(const Json& config_map, const std::string& store, const std::string& to) {
  const Json::json_pointer path = Json::json_pointer("/data") / resources::kConfigFile;
  if (!config_map.contains(path) || !config_map.at(path).is_string()) return false;
  const auto documents = config::ParseYamlDocuments(config_map.at(path).get<std::string>(), resources::kConfigFile);
  if (!documents.ok() || documents->size() != 1) return false;
  const Json::json_pointer target = Json::json_pointer("/stores") / store / "migrate_to";
  return documents->front().contains(target) && documents->front().at(target) == to;
}

}  // namespace

std::int64_t ServicePods::wanted() const {
  return workload.is_null() ? 0 : NumberAt(workload, "/spec/replicas");
}

std::optional<std::string> WhatIsMissing(const ServicePods& service, const std::string& store, const std::string& to) {
  if (!NamesTheTarget(service.config_map, store, to)) {
    return "the service's configuration does not name backend " + to + " for store " + store + " yet";
  }
  const std::string checksum = resources::Hash(service.config_map.at("data"));
  if (service.workload.is_null() || ChecksumAt(service.workload, "/spec/template/metadata") != checksum ||
      NumberAt(service.workload, "/status/observedGeneration") < kube::GenerationOf(service.workload)) {
    return "the configuration has not reached the pods of the service yet";
  }
  const std::int64_t wanted = service.wanted();
  std::int64_t ready = 0;
  std::int64_t former = 0;
  for (const Json& pod : service.pods) {
    const bool has_it = ChecksumAt(pod, "/metadata") == checksum && !kube::IsBeingDeleted(pod);
    if (!has_it) ++former;
    if (has_it && kube::IsReady(pod)) ++ready;
  }
  if (former == 0 && ready == wanted && wanted > 0) return std::nullopt;
  std::string text =
      std::to_string(ready) + " of " + std::to_string(wanted) + " pods of the service are ready with the configuration";
  if (former > 0) text += ", and " + std::to_string(former) + " without it have not ended";
  return text;
}

}  // namespace holdfast::storagemigration
