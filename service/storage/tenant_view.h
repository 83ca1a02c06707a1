// One tenant's part of a store.
#pragma once

#include <memory>
#include <string>

#include "service/storage/backend.h"
#include "service/storage/key_space.h"

namespace holdfast::storage {

// Immutable; shared by every request of the tenant.
struct TenantView {
  std::string name_space;
  KeySpace space;                  // of all its rooms
  KeySpace key_space;              // of what clients PUT
  std::shared_ptr<Backend> rooms;  // confined to `space`: keys begin with their Room
  std::shared_ptr<Backend> keys;   // confined to `key_space`
};

}  // namespace holdfast::storage
