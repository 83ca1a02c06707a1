#include "operator/controllers/storagemigration/check.h"

#include <algorithm>
#include <string>
#include <utility>

#include "operator/service_access/endpoint.h"

namespace holdfast::storagemigration {
namespace {

const api::StoreSpec* FindStore(const api::StorageCluster& cluster, const std::string& name) {
  const auto found = std::find_if(cluster.spec.stores.begin(), cluster.spec.stores.end(),
                                  [&](const api::StoreSpec& store) { return store.name == name; });
  return found == cluster.spec.stores.end() ? nullptr : &*found;
}

const api::BackendSpec* FindBackend(const api::StorageCluster& cluster, const std::string& name) {
  const auto found = std::find_if(cluster.spec.backends.begin(), cluster.spec.backends.end(),
                                  [&](const api::BackendSpec& backend) { return backend.name == name; });
  return found == cluster.spec.backends.end() ? nullptr : &*found;
}

std::string Names(const api::StorageCluster& cluster) {
  std::string names;
  for (const api::BackendSpec& backend : cluster.spec.backends) names += (names.empty() ? "" : ", ") + backend.name;
  return names;
}

bool IsReplicaOf(const api::StoreSpec& store, const std::string& backend) {
  return store.replicas && std::find(store.replicas->backends.begin(), store.replicas->backends.end(), backend) !=
                               store.replicas->backends.end();
}

// Another store with `backend` in any part.
std::string UserBeside(const api::StorageCluster& cluster, const api::StoreSpec& mover, const std::string& backend) {
  for (const api::StoreSpec& store : cluster.spec.stores) {
    if (store.name == mover.name) continue;
    const api::StoreMove* move = api::FindMove(cluster.moves, store.name);
    const bool uses = store.backend == backend || (store.cache && store.cache->backend == backend) ||
                      (store.secondary && store.secondary->backend == backend) ||
                      (store.write_queue && store.write_queue->backend == backend) || IsReplicaOf(store, backend) ||
                      (move != nullptr && move->to == backend);
    if (uses) return store.name;
  }
  return {};
}

bool IsShared(const api::BackendSpec& backend) {
  return backend.embedded() == nullptr && backend.memory() == nullptr;
}

// Of the store and the two backends.
std::string WhyNotThere(const api::StorageCluster& cluster, const api::StoreSpec& store, const api::BackendSpec& from,
                        const api::BackendSpec& to) {
  if (store.replicas) {
    return "store " + store.name +
           " is replicated, and its rows are those of no other store: use `holdfast export` and `import`";
  }
  if (store.cache || store.secondary) {
    return "store " + store.name +
           " is of two backends: name the one with the entries in its field backend until it "
           "has moved";
  }
  if (store.change_archive) {
    return "store " + store.name +
           " has a change log, into which changes do not come while it moves: take changeArchive away until it has "
           "moved";
  }
  if (cluster.spec.KeepsLocks(to.name)) {
    return "backend " + to.name + " is one of a store's lockBackends, which keep no entries: name another one";
  }
  for (const api::BackendSpec* backend : {&from, &to}) {
    if (backend->memory() != nullptr) {
      return "backend " + backend->name + " is in memory, and would be empty when the pods are made anew: " +
             (backend == &to ? "name another one" : "use `holdfast copy`");
    }
    const std::string user = UserBeside(cluster, store, backend->name);
    if (!user.empty()) {
      return "store " + user + " uses backend " + backend->name +
             " too: a backend that a store leaves, or moves to, "
             "belongs to it alone";
    }
  }
  if (IsShared(from) && !IsShared(to)) {
    return "backend " + to.name + " is inside one pod, and backend " + from.name +
           " is not: move to a postgres or redis backend";
  }
  return {};
}

constexpr char kInsteadOfSteering[] = "set the service's configuration and use `holdfast migration`";

}  // namespace

std::optional<Said> WhyNot(const api::StorageMigration& migration, const api::StorageCluster& cluster) {
  const auto invalid = [](std::string message) { return Said{"InvalidReference", std::move(message)}; };
  const api::StorageMigrationSpec& spec = migration.spec;
  const api::StoreSpec* store = FindStore(cluster, spec.store);
  if (store == nullptr) {
    return invalid("StorageCluster " + cluster.name + " has no store " + spec.store +
                   ": add it, or delete this StorageMigration and name another");
  }
  const api::BackendSpec* to = FindBackend(cluster, spec.to);
  if (to == nullptr) {
    return invalid("StorageCluster " + cluster.name + " has no backend " + spec.to + " but " + Names(cluster) +
                   ": add it, or delete this StorageMigration and name another");
  }
  if (store->backend == spec.to) return invalid("store " + spec.store + " is in backend " + spec.to + " already");
  const api::BackendSpec* from = FindBackend(cluster, store->backend);
  if (from == nullptr) return invalid("store " + spec.store + " is in no backend of the spec");
  if (std::string why = WhyNotThere(cluster, *store, *from, *to); !why.empty()) return invalid(std::move(why));
  if (std::string why = service_access::WhyNotSteered(cluster, kInsteadOfSteering); !why.empty())
    return Said{"NotSupported", std::move(why)};
  if (!service_access::Runs(cluster)) {
    return Said{"ServiceStopped",
                "no pod of the service runs, which does the copying: set service.replicas above 0, "
                "or wake the cluster up"};
  }
  return std::nullopt;
}

api::StoreMove WantedMove(const api::StorageMigration& migration, const api::StorageCluster& cluster,
                          const std::string& caller) {
  const api::StorageMigrationSpec& spec = migration.spec;
  const api::StoreMove* present = api::FindMove(cluster.moves, spec.store);
  const api::StoreSpec* store = FindStore(cluster, spec.store);
  api::StoreMove move{.store = spec.store, .backend = store == nullptr ? std::string() : store->backend};
  if (present != nullptr) move.former = present->former;
  move.to = spec.to;
  move.migration = migration.name;
  move.uid = migration.uid;
  move.keys_per_second = spec.keys_per_second;
  move.keys_at_once = spec.keys_at_once;
  move.caller = caller;
  return move;
}

}  // namespace holdfast::storagemigration
