// From what a client wants to what is stored: identity and other fields only the server writes, the parts of an object
// a request may touch, defaults, validation, generation, field ownership, and whether anything changed at all.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time/clock.h"
#include "operator/local/api_server/managed_fields.h"
#include "operator/local/api_server/object_store.h"
#include "operator/local/api_server/resource_registry.h"

namespace holdfast::local {

enum class FieldValidation { kIgnore, kWarn, kStrict };

struct WriteOptions {
  std::string subresource;  // "" or "status"
  std::string field_manager;
  FieldValidation field_validation = FieldValidation::kWarn;
  bool dry_run = false;
  bool force = false;  // of an apply
};

struct Draft {
  Json object;
  // Set by an apply, which knows who owns what; otherwise ownership follows from what changed.
  std::optional<ManagedFields> managed;
};

// RFC 3339 in whole seconds, as Kubernetes writes times.
std::string ApiTime(const Clock& clock);

class Admission {
 public:
  // Where a new Service is reached; "" for one that nothing routes.
  using ServiceAddress = std::function<std::string(const std::string& ns, const std::string& name)>;

  Admission(ResourceRegistry& registry, const Clock& clock, ServiceAddress service_address)
      : registry_(registry), clock_(clock), service_address_(std::move(service_address)) {}

  // What to do with `draft` in the place of `live` (nullptr: create). `warnings` gets the unknown fields that were
  // dropped. Registers the kinds of a CustomResourceDefinition.
  Answer<ObjectStore::Change> Admit(const ObjectStore::View& view, const ResourceType& type, const StoredObject& live,
                                    Draft draft, const WriteOptions& options, std::vector<std::string>* warnings) const;

 private:
  Answer<bool> CheckNamespace(const ObjectStore::View& view, const ResourceType& type, const Json& object) const;
  void GiveAddress(Json* service) const;
  void SetIdentityOfNew(const ResourceType& type, Json* object) const;

  ResourceRegistry& registry_;
  const Clock& clock_;
  const ServiceAddress service_address_;
};

// True when the last finalizer has gone and nobody has to stop the object first.
bool MayBeRemoved(const ResourceType& type, const Json& object);

}  // namespace holdfast::local
