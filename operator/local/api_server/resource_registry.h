// The kinds the server knows: the built-in ones and those that CustomResourceDefinitions bring. Thread-safe; what it
// hands out is immutable.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "operator/kube/object.h"
#include "operator/local/api_server/api_error.h"
#include "operator/local/api_server/field_type.h"

namespace holdfast::local {

struct PrinterColumn {
  std::string name;
  std::string type;  // string, integer, number, boolean, date
  std::string format;
  std::string description;
  int priority = 0;
  std::string json_path;
};

struct ScalePaths {
  std::string replicas;  // ".spec.replicas"
  std::string status_replicas;
  std::string selector;
};

struct ResourceType {
  kube::ResourceKind kind;
  std::string singular;
  std::string list_kind;
  std::vector<std::string> short_names;
  std::vector<std::string> categories;
  bool custom = false;
  bool status_subresource = false;
  bool counts_generation = false;
  // A PUT without resourceVersion overwrites; otherwise it is refused.
  bool unconditional_update = true;
  // Deleted in two steps: first marked, then removed by whoever runs it.
  bool graceful_delete = false;
  std::optional<ScalePaths> scale;
  std::vector<PrinterColumn> columns;
  std::shared_ptr<const Json> schema;  // of custom resources
  const Json* field_schema = nullptr;  // what FieldType reads

  // "statefulsets.apps": names the stored objects, whatever the version.
  std::string Resource() const;
  // "StorageCluster.storage.holdfast.dev", as errors about an object say it.
  std::string QualifiedKind() const;
  FieldType Fields() const { return FieldType::Root(field_schema); }
};

using ResourceTypePtr = std::shared_ptr<const ResourceType>;

class ResourceRegistry {
 public:
  ResourceRegistry();

  // Serves what a CRD describes, in place of what it described before. 422 when it is no usable definition.
  Answer<bool> Register(const Json& definition);
  void Unregister(const std::string& definition_name);

  ResourceTypePtr Find(const std::string& group, const std::string& version, const std::string& plural) const;
  // Any version of "statefulsets.apps".
  ResourceTypePtr FindResource(const std::string& resource) const;
  ResourceTypePtr FindKind(const std::string& api_version, const std::string& kind) const;
  bool ServesGroup(const std::string& group) const;
  bool ServesVersion(const std::string& group, const std::string& version) const;
  std::vector<ResourceTypePtr> All() const;

 private:
  void Forget(const std::string& definition_name);  // requires mutex_

  mutable std::shared_mutex mutex_;
  std::vector<ResourceTypePtr> types_;                                 // guarded by mutex_
  std::map<std::string, std::vector<ResourceTypePtr>> by_definition_;  // guarded by mutex_
};

}  // namespace holdfast::local
