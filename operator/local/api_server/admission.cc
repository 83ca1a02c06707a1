#include "operator/local/api_server/admission.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "base/time/duration.h"
#include "operator/local/api_server/builtin_rules.h"
#include "operator/local/api_server/json_access.h"
#include "operator/local/api_server/structural_schema.h"

namespace holdfast::local {
namespace {

std::string NewUid() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  std::uint64_t high = (random() & ~0xF000ull) | 0x4000ull;
  std::uint64_t low = (random() & ~(3ull << 62)) | (2ull << 62);
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, high >> 16 & 0xFFFF, high & 0xFFFF, low >> 48,
                     low & 0xFFFFFFFFFFFFull);
}

void Restore(const Json& live, FieldPath parent, const char* field, Json* object) {
  const Json* from = FindField(live, parent);
  const Json* value = from == nullptr ? nullptr : FindField(*from, {field});
  if (value != nullptr) {
    EnsureObject(*object, parent)[field] = *value;
  } else {
    EraseField(*object, parent, field);
  }
}

// The fields of metadata that only the server writes.
void RestoreIdentity(const Json& live, Json* object) {
  for (const char* field : {"name", "namespace", "generateName", "uid", "creationTimestamp", "deletionTimestamp",
                            "deletionGracePeriodSeconds", "generation", "resourceVersion", "selfLink"}) {
    Restore(live, {"metadata"}, field, object);
  }
}

// What generation counts changes of.
Json DesiredState(const ResourceType& type, const Json& object) {
  if (!type.custom) return ObjectAt(object, {"spec"});
  Json desired = object;
  desired.erase("metadata");
  if (type.status_subresource) desired.erase("status");
  return desired;
}

bool SameOwnership(const ManagedFields& a, const ManagedFields& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const ManagedEntry& x, const ManagedEntry& y) {
    return x.apply == y.apply && x.writer.manager == y.writer.manager && x.writer.api_version == y.writer.api_version &&
           x.writer.subresource == y.writer.subresource && x.fields == y.fields;
  });
}

// Ownership as the client would have it: a single empty entry resets it, silence leaves it.
ManagedFields OwnershipBefore(const Json& live, const Json& draft) {
  const Json* asked = FindField(draft, {"metadata", "managedFields"});
  if (asked == nullptr || !asked->is_array() || asked->empty()) return ReadManagedFields(live);
  return ReadManagedFields(draft);
}

std::vector<FieldError> CheckFinalizers(const Json& live, const Json& object) {
  if (live.is_null() || !IsTerminating(live)) return {};
  std::string added;
  for (const Json& each : ArrayAt(object, {"metadata", "finalizers"})) {
    if (each.is_string() && !HasFinalizer(live, each.get<std::string>())) {
      added += (added.empty() ? "" : ", ") + each.dump();
    }
  }
  if (added.empty()) return {};
  return {{"FieldValueForbidden", "metadata.finalizers",
           fmt::format("Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
                       "[]string{{{}}}",
                       added)}};
}

Answer<bool> CheckLock(const ResourceType& type, const Json& live, const Json& object) {
  std::string name = NameOf(live);
  std::string revision = TextAt(object, {"metadata", "resourceVersion"});
  if (!revision.empty() && revision != TextAt(live, {"metadata", "resourceVersion"})) {
    return errors::Modified(type.Resource(), name);
  }
  std::string uid = UidOf(object);
  if (!uid.empty() && uid != UidOf(live)) {
    return errors::Conflict(
        type.Resource(), name,
        fmt::format("Precondition failed: UID in precondition: {}, UID in object meta: {}", uid, UidOf(live)));
  }
  return true;
}

ApiError UnknownFields(const ResourceType& type, const std::vector<std::string>& fields) {
  std::string text;
  for (const std::string& each : fields) {
    text += fmt::format("{}unknown field \"{}\"", text.empty() ? "" : ", ", each);
  }
  return errors::BadRequest(fmt::format("{0} in version \"{1}\" cannot be handled as a {0}: strict decoding error: {2}",
                                        type.kind.kind, type.kind.version, text));
}

Json Condition(const char* type, const char* reason, const char* message, const std::string& time) {
  return {{"type", type}, {"status", "True"}, {"reason", reason}, {"message", message}, {"lastTransitionTime", time}};
}

// The real server's controllers do this a moment later; here a definition is served as soon as it is stored.
void EstablishDefinition(const Json& live, const std::string& time, Json* definition) {
  Json& status = EnsureObject(*definition, {"status"});
  const Json& before = ObjectAt(live, {"status"});
  status["acceptedNames"] = ObjectAt(*definition, {"spec", "names"});
  status["conditions"] = before.contains("conditions")
                             ? before["conditions"]
                             : Json::array({Condition("NamesAccepted", "NoConflicts", "no conflicts found", time),
                                            Condition("Established", "InitialNamesAccepted",
                                                      "the initial names have been accepted", time)});
  Json stored = ArrayAt(before, {"storedVersions"});
  for (const Json& version : ArrayAt(*definition, {"spec", "versions"})) {
    Json name = TextAt(version, {"name"});
    if (BoolAt(version, {"storage"}) && std::find(stored.begin(), stored.end(), name) == stored.end()) {
      stored.push_back(std::move(name));
    }
  }
  status["storedVersions"] = std::move(stored);
}

}  // namespace

std::string ApiTime(const Clock& clock) {
  return FormatTimestamp(Timestamp(std::chrono::floor<std::chrono::seconds>(clock.Now())));
}

bool MayBeRemoved(const ResourceType& type, const Json& object) {
  return IsTerminating(object) && ArrayAt(object, {"metadata", "finalizers"}).empty() &&
         !(type.kind.kind == "Namespace" && !type.custom && !ArrayAt(object, {"spec", "finalizers"}).empty()) &&
         (!type.graceful_delete || IntegerAt(object, {"metadata", "deletionGracePeriodSeconds"}) == 0);
}

Answer<bool> Admission::CheckNamespace(const ObjectStore::View& view, const ResourceType& type,
                                       const Json& object) const {
  if (!type.kind.namespaced) return true;
  std::string ns = NamespaceOf(object);
  StoredObject home = view.Get("namespaces", {"", ns});
  if (home == nullptr) return errors::NotFound("namespaces", ns);
  if (!IsTerminating(*home)) return true;
  ApiError error =
      errors::Forbidden(type.Resource(), NameOf(object),
                        fmt::format("unable to create new content in namespace {} because it is being terminated", ns));
  error.details["causes"] = Json::array({{{"reason", "NamespaceTerminating"},
                                          {"message", fmt::format("namespace {} is being terminated", ns)},
                                          {"field", "metadata.namespace"}}});
  return error;
}

void Admission::GiveAddress(Json* service) const {
  if (!service_address_ || TextAt(*service, {"spec", "type"}) == "ExternalName") return;
  if (!TextAt(*service, {"spec", "clusterIP"}).empty()) return;
  std::string address = service_address_(NamespaceOf(*service), NameOf(*service));
  if (!address.empty()) EnsureObject(*service, {"spec"})["clusterIP"] = address;
}

void Admission::SetIdentityOfNew(const ResourceType& type, Json* object) const {
  Json& metadata = EnsureObject(*object, {"metadata"});
  for (const char* field :
       {"deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink", "managedFields"}) {
    metadata.erase(field);
  }
  metadata["uid"] = NewUid();
  metadata["creationTimestamp"] = ApiTime(clock_);
  if (type.counts_generation) metadata["generation"] = 1;
  if (type.status_subresource) object->erase("status");
  if (type.kind.kind == "CustomResourceDefinition" && !type.custom) {
    metadata["finalizers"] = Json::array({"customresourcecleanup.apiextensions.k8s.io"});
  }
}

Answer<ObjectStore::Change> Admission::Admit(const ObjectStore::View& view, const ResourceType& type,
                                             const StoredObject& stored, Draft draft, const WriteOptions& options,
                                             std::vector<std::string>* warnings) const {
  static const Json kNothing = nullptr;
  const Json& live = stored == nullptr ? kNothing : *stored;
  Json object = std::move(draft.object);
  ManagedFields managed = draft.managed ? *draft.managed : OwnershipBefore(live, object);
  bool definition = type.kind.kind == "CustomResourceDefinition" && !type.custom;

  if (live.is_null()) {
    HOLDFAST_TRY([[maybe_unused]] bool home, CheckNamespace(view, type, object));
    SetIdentityOfNew(type, &object);
  } else {
    HOLDFAST_TRY([[maybe_unused]] bool lock, CheckLock(type, live, object));
    if (options.subresource == "status") {
      Json written = live;
      Restore(object, {}, "status", &written);
      object = std::move(written);
    } else if (type.status_subresource) {
      Restore(live, {}, "status", &object);
    }
    RestoreIdentity(live, &object);
  }
  EraseField(object, {"metadata"}, "managedFields");
  object["apiVersion"] = type.kind.api_version();
  object["kind"] = type.kind.kind;

  std::vector<FieldError> problems;
  if (type.custom) {
    std::vector<std::string> unknown = PruneUnknownFields(object, *type.schema);
    if (options.field_validation == FieldValidation::kStrict && !unknown.empty()) return UnknownFields(type, unknown);
    for (const std::string& each : unknown) warnings->push_back(fmt::format("unknown field \"{}\"", each));
    ApplySchemaDefaults(object, *type.schema);
    problems = ValidateAgainstSchema(object, *type.schema);
  } else {
    if (live.is_null() && type.kind.kind == "Service") GiveAddress(&object);
    ApplyBuiltinDefaults(type, live, &object);
  }
  std::vector<FieldError> more = ValidateObject(type, live, object);
  problems.insert(problems.begin(), more.begin(), more.end());
  for (FieldError& each : CheckFinalizers(live, object)) problems.push_back(std::move(each));
  if (!problems.empty()) return errors::Invalid(type.QualifiedKind(), NameOf(object), problems);
  if (definition) EstablishDefinition(live, ApiTime(clock_), &object);

  if (!live.is_null() && type.counts_generation && DesiredState(type, live) != DesiredState(type, object)) {
    object["metadata"]["generation"] = IntegerAt(live, {"metadata", "generation"}) + 1;
  }
  if (!draft.managed) {
    managed = TrackUpdate(live, object, std::move(managed),
                          {options.field_manager, type.kind.api_version(), options.subresource}, type.Fields(),
                          type.status_subresource, ApiTime(clock_));
  }
  if (!live.is_null()) {
    Json before = live;
    EraseField(before, {"metadata"}, "managedFields");
    if (before == object && SameOwnership(managed, ReadManagedFields(live))) {
      return ObjectStore::Change{ObjectStore::Change::Action::kKeep, live};
    }
  }
  WriteManagedFields(managed, &object);
  if (options.dry_run) return ObjectStore::Change{ObjectStore::Change::Action::kKeep, std::move(object)};
  if (!live.is_null() && MayBeRemoved(type, object)) {
    return ObjectStore::Change{ObjectStore::Change::Action::kRemove, std::move(object)};
  }
  if (definition) {
    HOLDFAST_TRY([[maybe_unused]] bool registered, registry_.Register(object));
  }
  return ObjectStore::Change{ObjectStore::Change::Action::kPut, std::move(object)};
}

}  // namespace holdfast::local
