#include "service/storage/store.h"

#include <cstdlib>

namespace holdfast::storage {

StoreRegistry::StoreRegistry(std::vector<Store> stores, std::string default_store)
    : stores_(std::move(stores)), default_store_(std::move(default_store)) {}

const Store* StoreRegistry::Find(std::string_view name) const {
  if (name == "_default") name = default_store_;
  for (const Store& store : stores_) {
    if (store.name == name) return &store;
  }
  return nullptr;
}

const Store& StoreRegistry::default_store() const {
  const Store* store = Find(default_store_);
  if (store == nullptr) std::abort();  // the settings are checked before a registry is built
  return *store;
}

}  // namespace holdfast::storage
