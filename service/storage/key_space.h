// Where a client's key lives in a backend that stores and tenants share:
//
//   store \0 namespace \0 room key
//
// Store and namespace names are DNS labels of at most 63 bytes, so no name is a prefix of another's space. The room
// keeps kinds of data apart that belong to one tenant and may change in one transaction.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "service/storage/types.h"

namespace holdfast::storage {

enum class Room : char {
  kCollections = 'c',  // definitions of collections
  kDocuments = 'd',
  kFences = 'f',  // the newest fencing token of every lock
  kKeys = 'k',    // what clients PUT
  kLocks = 'l',
  kReplays = 'r',  // first answers to requests with an Idempotency-Key
  kSystem = 's',   // the service's own: namespaces, secrets of cursors
  kIndexes = 'x',  // secondary indexes of collections
};

inline constexpr std::string_view kDefaultNamespace = "default";
// The namespace that no request can name: what belongs to the service rather than to a tenant.
inline constexpr std::string_view kSystemNamespace = "";
// What a backend's own key limit must have above the limit that clients are told.
inline constexpr std::size_t kReservedKeyBytes = 1024;
// Likewise of operations: what the service adds to a client's transaction (fences, index rows), and its own steps.
inline constexpr std::size_t kReservedOperations = 1024;
// What a backend has to take so that the stores on it can hold their clients to `clients`.
Limits BackendLimits(Limits clients);

// 1..63 of a-z, 0-9 and '-', beginning and ending with a letter or digit.
bool IsValidNamespace(std::string_view name);

class KeySpace {
 public:
  // Every room of one tenant in one store; keys in it begin with their room.
  KeySpace(std::string_view store, std::string_view name_space);
  // One room of it.
  KeySpace In(Room room) const;

  const std::string& prefix() const { return prefix_; }
  std::string Wrap(std::string_view key) const;
  KeyRange Wrap(const KeyRange& range) const;
  void Wrap(Operation& operation) const;
  void Wrap(Transaction& transaction) const;
  // Its filter too: what it says of keys is said of backend keys then.
  void Wrap(ScanRequest& request) const;
  // The key behind the prefix; `backend_key` is in this space.
  std::string_view Unwrap(std::string_view backend_key) const { return backend_key.substr(prefix_.size()); }

 private:
  explicit KeySpace(std::string prefix) : prefix_(std::move(prefix)) {}
  std::string prefix_;
};

// A backend key taken apart; nullopt when it is in no space. The views point into it.
struct KeyPlace {
  std::string_view store;
  std::string_view name_space;
  Room room;
  std::string_view key;
};
std::optional<KeyPlace> FindPlace(std::string_view backend_key);

}  // namespace holdfast::storage
