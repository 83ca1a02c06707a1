// The verbs that change objects. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "operator/local/api_server/admission.h"
#include "operator/local/api_server/object_store.h"
#include "operator/local/api_server/resource_registry.h"
#include "operator/local/api_server/selector.h"

namespace holdfast::local {

struct WriteResult {
  StoredObject object;
  bool created = false;
  bool gone = false;     // the object is not stored any more
  bool changed = false;  // something was written
  std::vector<std::string> warnings;
};

enum class PatchKind { kMerge, kStrategic, kJson, kApply };

struct DeleteOptions {
  std::string uid;  // preconditions; empty = none
  std::string resource_version;
  std::optional<std::int64_t> grace_period_seconds;
  std::string propagation_policy;  // "", Background, Foreground, Orphan
  bool dry_run = false;
};

class ObjectService {
 public:
  ObjectService(ObjectStore& store, ResourceRegistry& registry, const Clock& clock,
                Admission::ServiceAddress service_address)
      : store_(store), registry_(registry), admission_(registry, clock, std::move(service_address)), clock_(clock) {}

  Answer<WriteResult> Create(const ResourceType& type, const std::string& ns, Json object, const WriteOptions& options);
  Answer<WriteResult> Update(const ResourceType& type, const kube::ObjectKey& key, Json object,
                             const WriteOptions& options);
  // An apply creates what is not there; the others answer 404.
  Answer<WriteResult> Patch(const ResourceType& type, const kube::ObjectKey& key, PatchKind kind, const Json& patch,
                            const WriteOptions& options);
  Answer<WriteResult> Delete(const ResourceType& type, const kube::ObjectKey& key, const DeleteOptions& options);
  // The server's own change to an object, past admission: finalizers and owner references as deletions proceed. Nothing
  // is written when the object is another one by now (`uid`) or when `amend` says that it changed nothing.
  Answer<WriteResult> Amend(const ResourceType& type, const kube::ObjectKey& key, const std::string& uid,
                            const std::function<bool(Json&)>& amend);
  // POST pods/<name>/binding.
  Answer<WriteResult> Bind(const ResourceType& type, const kube::ObjectKey& key, const std::string& node);

  Answer<Json> GetScale(const ResourceType& type, const kube::ObjectKey& key) const;
  Answer<Json> WriteScale(const ResourceType& type, const kube::ObjectKey& key, const std::optional<PatchKind>& patch,
                          const Json& body, const WriteOptions& options);

 private:
  // Runs `decide` on the stored object and reports whether it wrote.
  using Decide = std::function<Answer<ObjectStore::Change>(const ObjectStore::View&, const StoredObject&)>;
  Answer<WriteResult> Write(const ResourceType& type, const kube::ObjectKey& key, const Decide& decide);
  Answer<ObjectStore::Change> DecideDelete(const ResourceType& type, const StoredObject& current,
                                           const DeleteOptions& options) const;

  ObjectStore& store_;
  ResourceRegistry& registry_;
  Admission admission_;
  const Clock& clock_;
};

}  // namespace holdfast::local
