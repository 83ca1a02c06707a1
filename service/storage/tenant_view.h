// The parts of a store that belong to one tenant each.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>

#include "service/storage/backend.h"
#include "service/storage/key_space.h"

namespace holdfast::storage {

// Immutable; shared by every request of the tenant.
struct TenantView {
  std::string name_space;
  KeySpace space;      // of all its rooms
  KeySpace key_space;  // of what clients PUT
  // Confined to `space`: keys begin with their Room. Takes kReservedOperations more than clients may send.
  std::shared_ptr<Backend> rooms;
  std::shared_ptr<Backend> keys;  // confined to `key_space`
};

// Views of one store by namespace, made on first use. Thread-safe.
class TenantViews {
 public:
  // Views above this number are made for each request and not kept, so that made-up names do not fill memory.
  static constexpr std::size_t kMaxKept = 10'000;

  // `limits` are what clients are held to.
  TenantViews(std::shared_ptr<Backend> backend, std::string store, const Limits& limits);
  std::shared_ptr<const TenantView> Find(std::string_view name_space);

 private:
  std::shared_ptr<const TenantView> Make(std::string_view name_space) const;

  const std::shared_ptr<Backend> backend_;
  const std::string store_;
  const Limits limits_;
  const std::shared_ptr<const TenantView> default_;
  std::shared_mutex mutex_;
  std::map<std::string, std::shared_ptr<const TenantView>, std::less<>> others_;  // guarded by mutex_
};

}  // namespace holdfast::storage
