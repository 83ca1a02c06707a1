#include "operator/api/v1/store_move.h"

#include <algorithm>
#include <utility>

#include "operator/api/v1/storage_cluster.h"

namespace holdfast::api {
namespace {

constexpr std::size_t kMaximumMoves = 64;  // as many as stores

std::string Text(const Json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? member->get<std::string>() : std::string();
}

std::int64_t Number(const Json& object, const char* name, std::int64_t otherwise) {
  const auto member = object.find(name);
  return member != object.end() && member->is_number_integer() ? member->get<std::int64_t>() : otherwise;
}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

struct Specified {
  std::string store;
  std::string backend;
};

// Of a store of the spec, valid or not; empty where it has none.
std::string FirstReplica(const Json& store) {
  static const Json::json_pointer pointer("/replicated/backends/0");
  return store.contains(pointer) && store.at(pointer).is_string() ? store.at(pointer).get<std::string>()
                                                                  : std::string();
}

// As the spec has it, valid or not.
std::vector<Specified> SpecifiedStores(const Json& cluster_object) {
  static const Json::json_pointer pointer("/spec/stores");
  std::vector<Specified> stores;
  if (!cluster_object.contains(pointer) || !cluster_object.at(pointer).is_array()) return stores;
  for (const Json& store : cluster_object.at(pointer)) {
    if (!store.is_object()) continue;
    const auto part = [&](const char* of, const char* name) {
      return store.contains(of) && store.at(of).is_object() ? Text(store.at(of), name) : std::string();
    };
    std::string backend = Text(store, "backend");
    if (backend.empty()) backend = part("tiered", "store");
    if (backend.empty()) backend = part("failover", "primary");
    if (backend.empty()) backend = FirstReplica(store);
    stores.push_back({Text(store, "name"), std::move(backend)});
  }
  return stores;
}

bool HasBackend(const Json& cluster_object, const std::string& name) {
  static const Json::json_pointer pointer("/spec/backends");
  if (!cluster_object.contains(pointer) || !cluster_object.at(pointer).is_array()) return false;
  const Json& backends = cluster_object.at(pointer);
  return std::any_of(backends.begin(), backends.end(),
                     [&](const Json& each) { return each.is_object() && Text(each, "name") == name; });
}

}  // namespace

std::vector<StoreMove> MovesOf(const Json& cluster_object) {
  static const Json::json_pointer pointer("/status/moves");
  std::vector<StoreMove> moves;
  if (!cluster_object.contains(pointer) || !cluster_object.at(pointer).is_array()) return moves;
  for (const Json& each : cluster_object.at(pointer)) {
    if (!each.is_object()) continue;
    StoreMove move{.store = Text(each, "store"), .backend = Text(each, "backend")};
    if (move.store.empty() || move.backend.empty()) continue;
    for (const Json& name : each.value("former", Json::array())) {
      if (name.is_string()) move.former.push_back(name.get<std::string>());
    }
    move.to = Text(each, "to");
    move.migration = Text(each, "migration");
    move.uid = Text(each, "uid");
    move.keys_per_second = Number(each, "keysPerSecond", move.keys_per_second);
    move.keys_at_once = Number(each, "keysAtOnce", move.keys_at_once);
    move.caller = Text(each, "caller");
    moves.push_back(std::move(move));
  }
  std::sort(moves.begin(), moves.end(), [](const StoreMove& a, const StoreMove& b) { return a.store < b.store; });
  return moves;
}

Json MovesToJson(const std::vector<StoreMove>& moves) {
  Json list = Json::array();
  for (const StoreMove& move : moves) {
    Json entry = {{"store", move.store}, {"backend", move.backend}, {"migration", move.migration}, {"uid", move.uid}};
    if (!move.former.empty()) entry["former"] = move.former;
    if (move.moving()) {
      entry["to"] = move.to;
      entry["keysPerSecond"] = move.keys_per_second;
      entry["keysAtOnce"] = move.keys_at_once;
      if (!move.caller.empty()) entry["caller"] = move.caller;
    }
    list.push_back(std::move(entry));
  }
  return list;
}

const StoreMove* FindMove(const std::vector<StoreMove>& moves, std::string_view store) {
  const auto found =
      std::find_if(moves.begin(), moves.end(), [&](const StoreMove& move) { return move.store == store; });
  return found == moves.end() ? nullptr : &*found;
}

const std::string& PlaceOf(const std::vector<StoreMove>& moves, std::string_view store, const std::string& specified) {
  const StoreMove* move = FindMove(moves, store);
  if (move == nullptr) return specified;
  return move->moving() || Contains(move->former, specified) ? move->backend : specified;
}

std::vector<StoreMove> WithoutSettled(std::vector<StoreMove> moves, const Json& cluster_object) {
  const std::vector<Specified> stores = SpecifiedStores(cluster_object);
  std::erase_if(moves, [&](StoreMove& move) {
    if (move.moving()) return false;
    const auto of =
        std::find_if(stores.begin(), stores.end(), [&](const Specified& store) { return store.store == move.store; });
    if (of == stores.end()) return false;
    if (of->backend != move.backend) return !Contains(move.former, of->backend);
    // The backend may come back by mistake as long as it is there.
    return std::none_of(move.former.begin(), move.former.end(),
                        [&](const std::string& name) { return HasBackend(cluster_object, name); });
  });
  return moves;
}

void PlaceStores(const std::vector<StoreMove>& moves, StorageClusterSpec* spec, std::vector<FieldError>* errors) {
  const auto has_backend = [&](const std::string& name) {
    return std::any_of(spec->backends.begin(), spec->backends.end(),
                       [&](const BackendSpec& backend) { return backend.name == name; });
  };
  for (std::size_t i = 0; i < spec->stores.size(); ++i) {
    StoreSpec& store = spec->stores[i];
    const StoreMove* move = FindMove(moves, store.name);
    if (move == nullptr) continue;
    const std::string specified = store.backend;
    store.backend = PlaceOf(moves, store.name, specified);
    const std::string path = "spec.stores[" + std::to_string(i) + "]";
    const std::string because = " by StorageMigration " + move->migration;
    if (store.replicas && (move->moving() || store.backend != specified)) {
      errors->push_back({path, "the entries of store " + store.name + " are in backend " + store.backend +
                                   ", where they were moved" + because +
                                   ", and not in replicas: give the replicated store another name, and copy"});
      continue;
    }
    if (store.change_archive && move->moving()) {
      errors->push_back({path, "store " + store.name + " is being moved to backend " + move->to + because +
                                   ", and its changes cannot be shipped meanwhile: take changeArchive away"});
      continue;
    }
    if (!has_backend(store.backend)) {
      errors->push_back({path, "the entries of store " + store.name + " are in backend " + store.backend +
                                   ", where they were moved" + because + ": put that backend back into spec.backends"});
    } else if (move->moving() && !has_backend(move->to)) {
      errors->push_back({path, "store " + store.name + " is being moved to backend " + move->to + because +
                                   ": put that backend back into spec.backends, or delete the StorageMigration "
                                   "afterwards"});
    } else if (spec->KeepsLocks(store.backend) || (move->moving() && spec->KeepsLocks(move->to))) {
      errors->push_back({path, "store " + store.name + " has its entries in backend " + store.backend +
                                   (move->moving() ? ", and is being moved to " + move->to : std::string()) + because +
                                   ": lockBackends must name others"});
    } else if (move->moving() && (store.cache || store.secondary)) {
      errors->push_back({path, "store " + store.name + " is being moved to backend " + move->to + because +
                                   ": use backend until that is over"});
    }
  }
}

std::vector<MisplacedStore> MisplacedStores(const std::vector<StoreMove>& moves, const Json& cluster_object) {
  std::vector<MisplacedStore> misplaced;
  for (const Specified& store : SpecifiedStores(cluster_object)) {
    const std::string& place = PlaceOf(moves, store.store, store.backend);
    if (place != store.backend) misplaced.push_back({store.store, store.backend, place});
  }
  return misplaced;
}

Field MoveStatuses() {
  const auto text = [](const char* name, const char* description, bool required = false) {
    return Field{.name = name, .type = FieldType::kString, .description = description, .required = required};
  };
  const auto number = [](const char* name, const char* description) {
    return Field{.name = name, .type = FieldType::kInteger, .description = description};
  };
  Field move = {.fields = {text("store", "The store's name.", true),
                           text("backend", "The backend that has its entries, whatever the spec says.", true),
                           {.name = "former",
                            .type = FieldType::kList,
                            .description = "Backends that had them before. One of these in the spec means the one "
                                           "that has them now.",
                            .max_items = kMaximumMoves,
                            .items = {{.type = FieldType::kString}}},
                           text("to", "Where it is being moved; absent when it is not."),
                           text("migration", "The StorageMigration of the last move."),
                           text("uid", "Its uid."),
                           number("keysPerSecond", "While it is being moved: its rate; 0 = as many as it can."),
                           number("keysAtOnce", "While it is being moved: the size of a batch."),
                           text("caller", "While it is being moved: the SHA-256 of the token that may steer it.")}};
  return {.name = "moves",
          .type = FieldType::kList,
          .description =
              "Stores that a StorageMigration moves, or has moved to a backend that spec.stores[] does not "
              "name, or did not.",
          .max_items = kMaximumMoves,
          .list_key = "store",
          .items = {std::move(move)}};
}

}  // namespace holdfast::api
