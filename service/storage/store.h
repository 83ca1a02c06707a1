// A store: what the API serves under a name. Built once at start from settings; immutable afterwards but for its TTLs.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/storage/backend.h"
#include "service/storage/cache_warming.h"
#include "service/storage/failover_status.h"
#include "service/storage/replication_status.h"
#include "service/storage/store_backups.h"
#include "service/storage/store_checkpoints.h"
#include "service/storage/store_migration.h"
#include "service/storage/store_ttls.h"
#include "service/storage/tenant_view.h"
#include "service/storage/write_queue_status.h"

namespace holdfast::execution {
class Executor;
}

namespace holdfast::coordination {
class StoreCoordination;
}

namespace holdfast::hot_keys {
class HotKeys;
}

namespace holdfast::documents {
class Maintainer;
}

namespace holdfast::storage {

struct Store {
  std::string name;
  std::string backend_name;
  std::string cache_name;                  // of the backend with its copies; empty without
  std::vector<std::string> lock_backends;  // a majority of which keeps its locks; empty: its own backend does
  // May be shared with other stores, and holds every tenant: requests go through the tenant's view.
  std::shared_ptr<Backend> backend;
  std::shared_ptr<execution::Executor> executor;
  std::shared_ptr<StoreTtls> ttls = std::make_shared<StoreTtls>(std::nullopt, std::nullopt);
  Limits limits;  // what clients are held to; the backend's own key limit lies kReservedKeyBytes above
  std::shared_ptr<TenantViews> tenants;
  std::shared_ptr<hot_keys::HotKeys> hot_keys;
  std::shared_ptr<coordination::StoreCoordination> coordination;
  std::shared_ptr<documents::Maintainer> maintainer;  // builds the indexes of its collections
  std::shared_ptr<FailoverView> failover;             // null: it has no secondary backend
  std::shared_ptr<ReplicationView> replication;       // null: it has no replicas of its own
  std::shared_ptr<CacheWarmer> warmer;                // null: it has no cache
  WarmLimits warm_limits;                             // of a request to warm it
  std::shared_ptr<WriteQueueView> write_queue;        // null: its writes go to the backend before they are acknowledged
  std::shared_ptr<StoreMigration> migration;          // null where the store moves nowhere
  std::shared_ptr<StoreCheckpoints> checkpoints;      // null where none are kept
  std::shared_ptr<StoreBackups> backups;              // null: there is nowhere to put them

  // Under which its health is watched: its backend's, or its own where that may be away.
  std::string health_name() const { return replication ? name + ".replicas" : backend_name; }
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
