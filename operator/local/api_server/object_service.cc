#include "operator/local/api_server/object_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "base/time/duration.h"
#include "operator/local/api_server/json_access.h"
#include "operator/local/api_server/patch.h"
#include "operator/local/api_server/scale.h"
#include "operator/local/api_server/structural_schema.h"

namespace holdfast::local {
namespace {

using Change = ObjectStore::Change;

std::string GeneratedName(const std::string& prefix) {
  constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";
  thread_local std::mt19937_64 random{std::random_device{}()};
  std::string name = prefix;
  for (int i = 0; i < 5; ++i) name += kLetters[random() % kLetters.size()];
  return name;
}

// The real server reads a body of a built-in kind as what the path says it is when it does not say so itself; Patroni's
// client relies on it. Custom resources and applies have to name themselves.
void DefaultIdentity(const ResourceType& type, Json* object) {
  if (type.custom || !object->is_object()) return;
  const std::pair<const char*, std::string> fields[] = {{"apiVersion", type.kind.api_version()},
                                                        {"kind", type.kind.kind}};
  for (const auto& [field, value] : fields) {
    if (TextAt(*object, {field}).empty()) (*object)[field] = value;
  }
}

Answer<bool> CheckIdentity(const ResourceType& type, const Json& object) {
  if (!object.is_object()) return errors::BadRequest("the body of the request is not an object");
  std::string api_version = TextAt(object, {"apiVersion"});
  std::string kind = TextAt(object, {"kind"});
  if (api_version.empty() || kind.empty()) {
    return errors::BadRequest(
        fmt::format("Object '{}' is missing in the object provided", kind.empty() ? "Kind" : "apiVersion"));
  }
  if (kind != type.kind.kind || api_version != type.kind.api_version()) {
    return errors::BadRequest(fmt::format("{} in version \"{}\" cannot be handled as a {} of {}", kind, api_version,
                                          type.kind.kind, type.kind.api_version()));
  }
  return true;
}

// An apply is not pruned: who states a field that does not exist would otherwise believe to own it.
Answer<bool> CheckDeclared(const ResourceType& type, const Json& applied) {
  if (!type.custom) return true;
  Json pruned = applied;
  std::vector<std::string> unknown = PruneUnknownFields(pruned, *type.schema);
  if (unknown.empty()) return true;
  std::string fields;
  for (const std::string& each : unknown) {
    fields += fmt::format("{}.{}: field not declared in schema", fields.empty() ? "" : ", ", each);
  }
  return errors::Internal(fmt::format("failed to create typed patch object ({}/{}; {}, Kind={}): {}",
                                      NamespaceOf(applied), NameOf(applied), type.kind.api_version(), type.kind.kind,
                                      fields));
}

Answer<bool> PlaceIn(const ResourceType& type, const std::string& ns, Json* object) {
  Json& metadata = EnsureObject(*object, {"metadata"});
  if (!type.kind.namespaced) {
    metadata.erase("namespace");
    return true;
  }
  std::string stated = TextAt(*object, {"metadata", "namespace"});
  if (!stated.empty() && stated != ns) {
    return errors::BadRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  metadata["namespace"] = ns;
  return true;
}

Answer<bool> CheckName(const std::string& name, Json* object) {
  std::string stated = NameOf(*object);
  if (!stated.empty() && stated != name) {
    return errors::BadRequest(
        fmt::format("the name of the object ({}) does not match the name on the URL ({})", stated, name));
  }
  EnsureObject(*object, {"metadata"})["name"] = name;
  return true;
}

void AddFinalizer(Json* object, const char* finalizer) {
  if (HasFinalizer(*object, finalizer)) return;
  Json& finalizers = EnsureObject(*object, {"metadata"})["finalizers"];
  if (!finalizers.is_array()) finalizers = Json::array();
  finalizers.push_back(finalizer);
}

Answer<bool> CheckPreconditions(const ResourceType& type, const Json& object, const DeleteOptions& options) {
  std::string name = NameOf(object);
  if (!options.uid.empty() && options.uid != UidOf(object)) {
    return errors::Conflict(type.QualifiedKind(), name,
                            fmt::format("the UID in the precondition ({}) does not match the UID in record ({}). The "
                                        "object might have been deleted and then recreated",
                                        options.uid, UidOf(object)));
  }
  std::string revision = TextAt(object, {"metadata", "resourceVersion"});
  if (!options.resource_version.empty() && options.resource_version != revision) {
    return errors::Conflict(type.QualifiedKind(), name,
                            fmt::format("the ResourceVersion in the precondition ({}) does not match the "
                                        "ResourceVersion in record ({}). The object might have been modified",
                                        options.resource_version, revision));
  }
  return true;
}

std::int64_t GracePeriod(const ResourceType& type, const Json& object, const DeleteOptions& options) {
  if (!type.graceful_delete || TextAt(object, {"spec", "nodeName"}).empty()) return 0;
  std::string phase = TextAt(object, {"status", "phase"});
  if (phase == "Succeeded" || phase == "Failed") return 0;
  return std::max<std::int64_t>(
      0, options.grace_period_seconds.value_or(IntegerAt(object, {"spec", "terminationGracePeriodSeconds"}, 30)));
}

std::string Later(const Clock& clock, std::int64_t seconds) {
  return FormatTimestamp(
      Timestamp(std::chrono::floor<std::chrono::seconds>(clock.Now()) + std::chrono::seconds(seconds)));
}

}  // namespace

Answer<WriteResult> ObjectService::Write(const ResourceType& type, const kube::ObjectKey& key, const Decide& decide) {
  WriteResult result;
  HOLDFAST_TRY(result.object,
               store_.Modify(type.Resource(), key, [&](const ObjectStore::View& view, const StoredObject& current) {
                 Answer<Change> change = decide(view, current);
                 if (change.ok()) {
                   result.changed = change->action != Change::Action::kKeep;
                   result.gone = change->action == Change::Action::kRemove;
                   result.created = current == nullptr;
                 }
                 return change;
               }));
  if (result.gone && type.kind.kind == "CustomResourceDefinition" && !type.custom) registry_.Unregister(key.name);
  return result;
}

Answer<WriteResult> ObjectService::Create(const ResourceType& type, const std::string& ns, Json object,
                                          const WriteOptions& options) {
  DefaultIdentity(type, &object);
  HOLDFAST_TRY([[maybe_unused]] bool identity, CheckIdentity(type, object));
  HOLDFAST_TRY([[maybe_unused]] bool placed, PlaceIn(type, ns, &object));
  if (!TextAt(object, {"metadata", "resourceVersion"}).empty()) {
    return errors::BadRequest("resourceVersion should not be set on objects to be created");
  }
  std::string prefix = TextAt(object, {"metadata", "generateName"});
  if (NameOf(object).empty() && !prefix.empty()) object["metadata"]["name"] = GeneratedName(prefix);
  if (NameOf(object).empty()) {
    return errors::Invalid(type.QualifiedKind(), "", {Required("metadata.name", "name or generateName is required")});
  }
  kube::ObjectKey key{NamespaceOf(object), NameOf(object)};
  std::vector<std::string> warnings;
  auto result = Write(type, key, [&](const ObjectStore::View& view, const StoredObject& current) -> Answer<Change> {
    if (current != nullptr) return errors::AlreadyExists(type.Resource(), key.name);
    return admission_.Admit(view, type, nullptr, {std::move(object), std::nullopt}, options, &warnings);
  });
  if (result.ok()) result->warnings = std::move(warnings);
  return result;
}

Answer<WriteResult> ObjectService::Update(const ResourceType& type, const kube::ObjectKey& key, Json object,
                                          const WriteOptions& options) {
  DefaultIdentity(type, &object);
  HOLDFAST_TRY([[maybe_unused]] bool identity, CheckIdentity(type, object));
  HOLDFAST_TRY([[maybe_unused]] bool placed, PlaceIn(type, key.ns, &object));
  HOLDFAST_TRY([[maybe_unused]] bool named, CheckName(key.name, &object));
  std::vector<std::string> warnings;
  auto result = Write(type, key, [&](const ObjectStore::View& view, const StoredObject& current) -> Answer<Change> {
    if (current == nullptr) return errors::NotFound(type.Resource(), key.name);
    if (!type.unconditional_update && TextAt(object, {"metadata", "resourceVersion"}).empty()) {
      return errors::Invalid(type.Resource(), key.name,
                             {InvalidValue("metadata.resourceVersion", 0, "must be specified for an update")});
    }
    return admission_.Admit(view, type, current, {std::move(object), std::nullopt}, options, &warnings);
  });
  if (result.ok()) result->warnings = std::move(warnings);
  return result;
}

Answer<WriteResult> ObjectService::Patch(const ResourceType& type, const kube::ObjectKey& key, PatchKind kind,
                                         const Json& patch, const WriteOptions& options) {
  bool apply = kind == PatchKind::kApply;
  if (apply) {
    HOLDFAST_TRY([[maybe_unused]] bool identity, CheckIdentity(type, patch));
    if (FindField(patch, {"metadata", "managedFields"}) != nullptr) {
      return errors::BadRequest("metadata.managedFields must be nil");
    }
    HOLDFAST_TRY([[maybe_unused]] bool declared, CheckDeclared(type, patch));
  }
  std::vector<std::string> warnings;
  auto draft = [&](const StoredObject& current) -> Answer<Draft> {
    switch (kind) {
      case PatchKind::kMerge:
        return Draft{MergePatch(*current, patch), std::nullopt};
      case PatchKind::kStrategic:
        return Draft{StrategicMergePatch(*current, patch, type.Fields()), std::nullopt};
      case PatchKind::kJson: {
        HOLDFAST_TRY(Json patched, JsonPatch(*current, patch));
        return Draft{std::move(patched), std::nullopt};
      }
      case PatchKind::kApply:
        break;
    }
    Json live = current == nullptr ? Json() : *current;
    ManagedFields managed = ReadManagedFields(live);
    EraseField(live, {"metadata"}, "managedFields");
    ApplyRequest request{patch,
                         {options.field_manager, type.kind.api_version(), options.subresource},
                         options.force,
                         type.status_subresource,
                         ApiTime(clock_)};
    HOLDFAST_TRY(Applied applied, ServerSideApply(live, managed, request, type.Fields()));
    return Draft{std::move(applied.object), std::move(applied.managed)};
  };
  auto result = Write(type, key, [&](const ObjectStore::View& view, const StoredObject& current) -> Answer<Change> {
    if (current == nullptr && (!apply || !options.subresource.empty())) {
      return errors::NotFound(type.Resource(), key.name);
    }
    HOLDFAST_TRY(Draft drafted, draft(current));
    HOLDFAST_TRY([[maybe_unused]] bool placed, PlaceIn(type, key.ns, &drafted.object));
    HOLDFAST_TRY([[maybe_unused]] bool named, CheckName(key.name, &drafted.object));
    return admission_.Admit(view, type, current, std::move(drafted), options, &warnings);
  });
  if (result.ok()) result->warnings = std::move(warnings);
  return result;
}

Answer<Change> ObjectService::DecideDelete(const ResourceType& type, const StoredObject& current,
                                           const DeleteOptions& options) const {
  HOLDFAST_TRY([[maybe_unused]] bool holds, CheckPreconditions(type, *current, options));
  bool is_namespace = type.kind.kind == "Namespace" && !type.custom;
  std::string name = NameOf(*current);
  if (is_namespace && (name == "default" || name == "kube-system")) {
    return errors::Forbidden(type.Resource(), name, "this namespace may not be deleted");
  }
  Json object = *current;
  bool terminating = IsTerminating(object);
  if (!terminating && options.propagation_policy == "Foreground") AddFinalizer(&object, "foregroundDeletion");
  if (!terminating && options.propagation_policy == "Orphan") AddFinalizer(&object, "orphan");

  std::int64_t grace = GracePeriod(type, object, options);
  bool sooner = grace < IntegerAt(object, {"metadata", "deletionGracePeriodSeconds"});
  if (!terminating || (type.graceful_delete && sooner)) {
    Json& metadata = object["metadata"];
    metadata["deletionTimestamp"] = Later(clock_, grace);
    if (!is_namespace) metadata["deletionGracePeriodSeconds"] = grace;
    if (type.counts_generation) metadata["generation"] = IntegerAt(metadata, {"generation"}) + 1;
    if (is_namespace) EnsureObject(object, {"status"})["phase"] = "Terminating";
  }
  if (options.dry_run || object == *current) return Change{Change::Action::kKeep, std::move(object)};
  if (!MayBeRemoved(type, object)) return Change{Change::Action::kPut, std::move(object)};
  // Its last state is as it was: nobody saw it terminating.
  if (!terminating) object = *current;
  return Change{Change::Action::kRemove, std::move(object)};
}

Answer<WriteResult> ObjectService::Delete(const ResourceType& type, const kube::ObjectKey& key,
                                          const DeleteOptions& options) {
  return Write(type, key, [&](const ObjectStore::View&, const StoredObject& current) -> Answer<Change> {
    if (current == nullptr) return errors::NotFound(type.Resource(), key.name);
    return DecideDelete(type, current, options);
  });
}

Answer<WriteResult> ObjectService::Amend(const ResourceType& type, const kube::ObjectKey& key, const std::string& uid,
                                         const std::function<bool(Json&)>& amend) {
  return Write(type, key, [&](const ObjectStore::View&, const StoredObject& current) -> Answer<Change> {
    if (current == nullptr || UidOf(*current) != uid) return errors::NotFound(type.Resource(), key.name);
    Json object = *current;
    if (!amend(object)) return Change{Change::Action::kKeep, *current};
    return Change{MayBeRemoved(type, object) ? Change::Action::kRemove : Change::Action::kPut, std::move(object)};
  });
}

Answer<WriteResult> ObjectService::Bind(const ResourceType& type, const kube::ObjectKey& key, const std::string& node) {
  return Write(type, key, [&](const ObjectStore::View&, const StoredObject& current) -> Answer<Change> {
    if (current == nullptr) return errors::NotFound(type.Resource(), key.name);
    std::string bound = TextAt(*current, {"spec", "nodeName"});
    if (!bound.empty() || IsTerminating(*current)) {
      return errors::Conflict(type.Resource() + "/binding", key.name,
                              fmt::format("pod {} is already assigned to node \"{}\"", key.name, bound));
    }
    Json object = *current;
    EnsureObject(object, {"spec"})["nodeName"] = node;
    return Change{Change::Action::kPut, std::move(object)};
  });
}

Answer<Json> ObjectService::GetScale(const ResourceType& type, const kube::ObjectKey& key) const {
  StoredObject object = store_.Get(type.Resource(), key);
  if (object == nullptr) return errors::NotFound(type.Resource(), key.name);
  return ScaleOf(*object, *type.scale);
}

Answer<Json> ObjectService::WriteScale(const ResourceType& type, const kube::ObjectKey& key,
                                       const std::optional<PatchKind>& patch, const Json& body,
                                       const WriteOptions& options) {
  std::vector<std::string> warnings;
  HOLDFAST_TRY(WriteResult written,
               Write(type, key, [&](const ObjectStore::View& view, const StoredObject& current) -> Answer<Change> {
                 if (current == nullptr) return errors::NotFound(type.Resource(), key.name);
                 Json scale = ScaleOf(*current, *type.scale);
                 if (!patch) {
                   scale = body;
                 } else if (*patch == PatchKind::kJson) {
                   HOLDFAST_TRY(scale, JsonPatch(scale, body));
                 } else {
                   scale = MergePatch(std::move(scale), body);
                 }
                 HOLDFAST_TRY(Json scaled, WithReplicas(*current, scale, *type.scale));
                 return admission_.Admit(view, type, current, {std::move(scaled), std::nullopt}, options, &warnings);
               }));
  return ScaleOf(*written.object, *type.scale);
}

}  // namespace holdfast::local
