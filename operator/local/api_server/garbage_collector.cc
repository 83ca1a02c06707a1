#include "operator/local/api_server/garbage_collector.h"

#include <algorithm>
#include <set>

#include "base/time/duration.h"
#include "operator/local/api_server/json_access.h"

namespace holdfast::local {
namespace {

// How late a stop may be noticed; changes are noticed at once.
constexpr std::chrono::milliseconds kPoll{50};
constexpr std::chrono::hours kEventLifetime{1};  // kube-apiserver --event-ttl
constexpr const char* kForeground = "foregroundDeletion";
constexpr const char* kOrphan = "orphan";
constexpr const char* kDefinitionCleanup = "customresourcecleanup.apiextensions.k8s.io";

// Whatever comes in between (gone, changed) is a write of its own and so brings the next pass.
void Attempt(const Answer<WriteResult>&) {}

struct Stored {
  ResourceTypePtr type;
  kube::ObjectKey key;
  StoredObject object;
};

bool RemoveString(Json* list, const std::string& text) {
  if (list == nullptr || !list->is_array()) return false;
  auto found = std::find(list->begin(), list->end(), Json(text));
  if (found == list->end()) return false;
  list->erase(found);
  return true;
}

Json* Existing(Json& object, FieldPath path) {
  return const_cast<Json*>(FindField(object, path));
}

bool RemoveFinalizer(Json& object, const char* finalizer) {
  Json* list = Existing(object, {"metadata", "finalizers"});
  if (!RemoveString(list, finalizer)) return false;
  if (list->empty()) EraseField(object, {"metadata"}, "finalizers");
  return true;
}

bool RemoveOwners(Json& object, const std::set<std::string>& uids) {
  Json* owners = Existing(object, {"metadata", "ownerReferences"});
  if (owners == nullptr || !owners->is_array()) return false;
  Json left = Json::array();
  for (const Json& owner : *owners) {
    if (!uids.contains(TextAt(owner, {"uid"}))) left.push_back(owner);
  }
  if (left.size() == owners->size()) return false;
  if (left.empty()) {
    EraseField(object, {"metadata"}, "ownerReferences");
  } else {
    *owners = std::move(left);
  }
  return true;
}

}  // namespace

struct GarbageCollector::Snapshot {
  std::vector<Stored> objects;
  std::set<std::string> uids;
  std::map<std::string, const Stored*> by_uid;
  std::set<std::string> blocking;  // uids of owners that still have dependents which block their deletion
  std::set<std::string> owning;    // uids of owners that still have any dependents
};

GarbageCollector::GarbageCollector(ObjectStore& store, ResourceRegistry& registry, ObjectService& service,
                                   const Clock& clock)
    : store_(store), registry_(registry), service_(service), clock_(clock), thread_([this](std::stop_token stop) {
        Run(stop);
      }) {}

GarbageCollector::~GarbageCollector() = default;

void GarbageCollector::Run(std::stop_token stop) {
  std::uint64_t seen = 0;
  while (!stop.stop_requested()) {
    std::uint64_t now = store_.WaitBeyond(seen, kPoll);
    if (now == seen) continue;
    seen = now;
    Pass();
  }
}

void GarbageCollector::Pass() {
  Snapshot all;
  // In one step: kind by kind, an owner could be seen that is being deleted, and not its dependent written before.
  std::vector<StoredOfKind> stored = store_.Everything();
  std::map<std::string, ResourceTypePtr> types;
  for (const ResourceTypePtr& type : registry_.All()) types.emplace(type->Resource(), type);
  for (StoredOfKind& each : stored) {
    auto type = types.find(each.resource);
    if (type != types.end()) all.objects.push_back({type->second, std::move(each.key), std::move(each.object)});
  }
  for (const Stored& each : all.objects) {
    all.by_uid[UidOf(*each.object)] = &each;
    for (const Json& owner : ArrayAt(*each.object, {"metadata", "ownerReferences"})) {
      all.owning.insert(TextAt(owner, {"uid"}));
      if (BoolAt(owner, {"blockOwnerDeletion"})) all.blocking.insert(TextAt(owner, {"uid"}));
    }
  }
  CollectDependents(all);
  FinishPropagation(all);
  FinishNamespaces(all);
  FinishDefinitions(all);
  ExpireEvents(all);
}

void GarbageCollector::CollectDependents(const Snapshot& all) {
  for (const Stored& each : all.objects) {
    const Json& owners = ArrayAt(*each.object, {"metadata", "ownerReferences"});
    if (owners.empty()) continue;
    std::size_t solid = 0;
    bool being_deleted = false;
    std::set<std::string> given_up;
    for (const Json& owner : owners) {
      ResourceTypePtr type = registry_.FindKind(TextAt(owner, {"apiVersion"}), TextAt(owner, {"kind"}));
      std::string uid = TextAt(owner, {"uid"});
      auto found = all.by_uid.find(uid);
      if (type == nullptr) {
        // Of a kind not served: nothing can be said about the owner, so its dependents stay.
        ++solid;
      } else if (found == all.by_uid.end() || found->second->key.name != TextAt(owner, {"name"}) ||
                 (type->kind.namespaced && found->second->key.ns != each.key.ns)) {
        given_up.insert(uid);
      } else if (IsTerminating(*found->second->object) && HasFinalizer(*found->second->object, kOrphan)) {
        given_up.insert(uid);
        ++solid;
      } else if (IsTerminating(*found->second->object) && HasFinalizer(*found->second->object, kForeground)) {
        being_deleted = true;
      } else {
        ++solid;
      }
    }
    if (solid == 0) {
      if (IsTerminating(*each.object)) continue;
      DeleteOptions options;
      options.uid = UidOf(*each.object);
      // Owners it was given since are the next pass's to judge.
      options.resource_version = TextAt(*each.object, {"metadata", "resourceVersion"});
      options.propagation_policy = being_deleted && all.owning.contains(options.uid) ? "Foreground" : "Background";
      Attempt(service_.Delete(*each.type, each.key, options));
    } else if (!given_up.empty()) {
      Attempt(service_.Amend(*each.type, each.key, UidOf(*each.object),
                             [&](Json& object) { return RemoveOwners(object, given_up); }));
    }
  }
}

void GarbageCollector::FinishPropagation(const Snapshot& all) {
  for (const Stored& each : all.objects) {
    if (!IsTerminating(*each.object)) continue;
    std::string uid = UidOf(*each.object);
    for (const auto& [finalizer, waiting] : {std::pair(kForeground, &all.blocking), std::pair(kOrphan, &all.owning)}) {
      if (!HasFinalizer(*each.object, finalizer) || waiting->contains(uid)) continue;
      Attempt(service_.Amend(*each.type, each.key, uid,
                             [name = finalizer](Json& object) { return RemoveFinalizer(object, name); }));
    }
  }
}

void GarbageCollector::FinishNamespaces(const Snapshot& all) {
  for (const Stored& home : all.objects) {
    if (home.type->kind.kind != "Namespace" || home.type->custom || !IsTerminating(*home.object)) continue;
    bool empty = true;
    for (const Stored& each : all.objects) {
      if (!each.type->kind.namespaced || each.key.ns != home.key.name) continue;
      empty = false;
      if (!IsTerminating(*each.object)) Attempt(service_.Delete(*each.type, each.key, {}));
    }
    if (!empty) continue;
    Attempt(service_.Amend(*home.type, home.key, UidOf(*home.object), [](Json& object) {
      return RemoveString(Existing(object, {"spec", "finalizers"}), "kubernetes");
    }));
  }
}

void GarbageCollector::FinishDefinitions(const Snapshot& all) {
  for (const Stored& definition : all.objects) {
    if (!IsTerminating(*definition.object) || !HasFinalizer(*definition.object, kDefinitionCleanup)) continue;
    bool empty = true;
    for (const Stored& each : all.objects) {
      if (!each.type->custom || each.type->Resource() != definition.key.name) continue;
      empty = false;
      if (!IsTerminating(*each.object)) Attempt(service_.Delete(*each.type, each.key, {}));
    }
    if (!empty) continue;
    Attempt(service_.Amend(*definition.type, definition.key, UidOf(*definition.object),
                           [](Json& object) { return RemoveFinalizer(object, kDefinitionCleanup); }));
  }
}

void GarbageCollector::ExpireEvents(const Snapshot& all) {
  for (const Stored& each : all.objects) {
    if (each.type->kind.kind != "Event" || each.type->custom) continue;
    std::string last = TextAt(*each.object, {"lastTimestamp"});
    auto when = ParseTimestamp(last.empty() ? TextAt(*each.object, {"metadata", "creationTimestamp"}) : last);
    if (when.ok() && clock_.Now() - *when > kEventLifetime) Attempt(service_.Delete(*each.type, each.key, {}));
  }
}

}  // namespace holdfast::local
