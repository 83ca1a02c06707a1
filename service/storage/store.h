// A store: what the API serves under a name. Built once at start from settings; immutable afterwards.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/storage/backend.h"

namespace holdfast::execution {
class Executor;
}

namespace holdfast::storage {

struct Store {
  std::string name;
  std::string backend_name;
  std::shared_ptr<Backend> backend;
  std::shared_ptr<execution::Executor> executor;
  std::optional<std::chrono::microseconds> default_ttl;
};

class StoreRegistry {
 public:
  // `default_store` answers to "_default" as well as to its own name.
  StoreRegistry(std::vector<Store> stores, std::string default_store);
  // nullptr when there is none of that name.
  const Store* Find(std::string_view name) const;
  const std::vector<Store>& stores() const { return stores_; }
  const Store& default_store() const;

 private:
  std::vector<Store> stores_;
  std::string default_store_;
};

}  // namespace holdfast::storage
