// Where stores are that a StorageMigration moves or has moved: status.moves of the StorageCluster, written by the
// controller of StorageMigrations and obeyed by whoever makes the service's configuration. It outlives the
// StorageMigration: a spec that still names the backend a store has left would bring back what was there then. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "operator/api/v1/field.h"

namespace holdfast::api {

struct StorageClusterSpec;

struct StoreMove {
  std::string store;
  std::string backend;                   // that has the entries
  std::vector<std::string> former = {};  // that had them before: a spec that names one of these means `backend`
  std::string to = {};                   // while it is on its way; whatever the spec names, `backend` has the entries
  std::string migration = {};            // the StorageMigration of the last move
  std::string uid = {};                  // of it
  std::int64_t keys_per_second = 0;      // while it is on its way; 0 = as many as it can
  std::int64_t keys_at_once = 200;       // likewise
  std::string caller = {};               // likewise: SHA-256, hexadecimal, of the token that may steer it; or empty

  bool moving() const { return !to.empty(); }
  friend bool operator==(const StoreMove&, const StoreMove&) = default;
};

// Of the status, by the stores' names; entries that are no moves are left out.
std::vector<StoreMove> MovesOf(const Json& cluster_object);
Json MovesToJson(const std::vector<StoreMove>& moves);
const StoreMove* FindMove(const std::vector<StoreMove>& moves, std::string_view store);

// The backend a store has its entries in, of one that the spec puts into `specified`.
const std::string& PlaceOf(const std::vector<StoreMove>& moves, std::string_view store, const std::string& specified);
// Those that still say something: a move is forgotten when none of the former backends is left that the store could
// be put back to by mistake, or when the spec puts the store somewhere new.
std::vector<StoreMove> WithoutSettled(std::vector<StoreMove> moves, const Json& cluster_object);

// The spec as it is carried out. What is not possible with the backends that are left is added to `errors`.
void PlaceStores(const std::vector<StoreMove>& moves, StorageClusterSpec* spec, std::vector<FieldError>* errors);

struct MisplacedStore {
  std::string store;
  std::string specified;
  std::string backend;  // that has the entries
};
// Stores whose spec names a backend that they have left.
std::vector<MisplacedStore> MisplacedStores(const std::vector<StoreMove>& moves, const Json& cluster_object);

Field MoveStatuses();  // status.moves

}  // namespace holdfast::api
