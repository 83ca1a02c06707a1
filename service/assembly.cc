#include "service/assembly.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>

#include "base/log/log.h"
#include "service/backends/postgres/postgres_backend.h"
#include "service/backends/redis/redis_backend.h"
#include "service/backing_up.h"
#include "service/cache_metrics.h"
#include "service/checkpointing.h"
#include "service/composition/replicated_backend.h"
#include "service/documents/maintainer.h"
#include "service/failover_metrics.h"
#include "service/migration_metrics.h"
#include "service/replication_metrics.h"
#include "service/resilience/gated_executor.h"
#include "service/storage/listened_history.h"
#include "service/storage/listener_fanout.h"
#include "service/storage/measured_backend.h"
#include "service/tenancy/quota_backend.h"
#include "service/write_queues.h"

namespace holdfast::service {
namespace {

// How long a start waits for the count when a namespace has a quota.
constexpr std::chrono::seconds kCountPatience{2};

const std::vector<double>& BatchSizeBuckets() {
  static const std::vector<double> buckets{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};
  return buckets;
}

// Clients' keys get store, namespace and room in front, and their writes fences and index rows beside them.
template <typename Options>
Options WithRoomForTheService(Options options) {
  options.limits = storage::BackendLimits(options.limits);
  return options;
}

Result<std::shared_ptr<storage::Backend>> Open(const storage::MemoryOptions& options,
                                               const std::function<bool()>& /*stop*/) {
  return std::shared_ptr<storage::Backend>(storage::MakeMemoryBackend(WithRoomForTheService(options)));
}

Result<std::shared_ptr<storage::Backend>> Open(const storage::RocksDbOptions& options,
                                               const std::function<bool()>& stop) {
  const std::filesystem::path parent = std::filesystem::path(options.path).parent_path();
  std::error_code error;
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (error) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("cannot create {} ({}); make it writable or set data_dir to a folder that is",
                             parent.string(), error.message()));
  }
  HOLDFAST_ASSIGN_OR_RETURN(auto backend,
                            storage::OpenRocksDbBackend(WithRoomForTheService(options), SystemClock(), stop));
  return std::shared_ptr<storage::Backend>(std::move(backend));
}

Result<std::shared_ptr<storage::Backend>> Open(const storage::PostgresOptions& options,
                                               const std::function<bool()>& /*stop*/) {
  HOLDFAST_ASSIGN_OR_RETURN(auto backend, storage::OpenPostgresBackend(WithRoomForTheService(options)));
  return std::shared_ptr<storage::Backend>(std::move(backend));
}

Result<std::shared_ptr<storage::Backend>> Open(const storage::RedisOptions& options,
                                               const std::function<bool()>& /*stop*/) {
  HOLDFAST_ASSIGN_OR_RETURN(auto backend, storage::OpenRedisBackend(WithRoomForTheService(options)));
  return std::shared_ptr<storage::Backend>(std::move(backend));
}

// The settings name no other.
const OpenBackend& Find(const std::vector<OpenBackend>& backends, const std::string& name) {
  return *std::find_if(backends.begin(), backends.end(), [&](const OpenBackend& open) { return open.name == name; });
}

// Those of composed stores, by store.
using Listeners = std::multimap<std::string, std::shared_ptr<storage::ChangeListener>>;

// By store.
using Moves = std::map<std::string, std::shared_ptr<dual_write::DualWriteBackend>>;

std::shared_ptr<dual_write::DualWriteBackend> MoveOf(const StoreSettings& store,
                                                     const std::vector<OpenBackend>& backends) {
  dual_write::DualWriteOptions options;
  options.store = store.name;
  options.range = storage::KeyRange::Prefix(store.name + std::string(1, '\0'));
  options.limits = storage::BackendLimits(store.limits);
  options.membership = store.move->membership;
  options.mover = store.move->mover;
  return std::make_shared<dual_write::DualWriteBackend>(Find(backends, store.backend).backend,
                                                        Find(backends, store.move->backend).backend, options);
}

using Replicated = std::map<std::string, std::shared_ptr<composition::ReplicatedBackend>>;

std::shared_ptr<composition::ReplicatedBackend> MakeReplicated(const StoreSettings& store,
                                                               const std::vector<OpenBackend>& backends) {
  composition::ReplicaOptions options = store.replicas->options;
  options.on_change = [name = store.name](const storage::ReplicationStatus& status) {
    for (const storage::ReplicaStatus& replica : status.replicas) {
      const log::Level level = replica.standing == "up" ? log::Level::kInfo : log::Level::kWarn;
      log::Write(level, "a replica of a store",
                 {{"store", name},
                  {"replica", replica.name},
                  {"standing", replica.standing},
                  {"leader", replica.leader},
                  {"reason", replica.reason}});
    }
  };
  options.on_compared = [name = store.name](std::uint64_t mended, const storage::ReplicaComparisonStatus& status) {
    log::Warn("replicas of a store had not the same",
              {{"store", name}, {"mended", mended}, {"undecided", status.undecided}, {"reason", status.reason}});
  };
  std::vector<composition::NamedReplica> replicas;
  for (const std::string& name : store.replicas->backends) replicas.push_back({name, Find(backends, name).backend});
  return std::make_shared<composition::ReplicatedBackend>(std::move(replicas), options,
                                                          storage::BackendLimits(store.limits));
}

// Backends that are one store's alone are heard through what decides over them.
void ListenToOwn(const storage::Store& store, const std::shared_ptr<storage::Backend>& backend,
                 const std::shared_ptr<tenancy::UsageAccounts>& accounts) {
  backend->SetChangeListener(
      std::make_shared<storage::ListenerFanout>(std::vector<std::shared_ptr<storage::ChangeListener>>{
          accounts->Follow(backend), store.coordination->listener()}));
}

void ListenToMoves(const std::vector<storage::Store>& stores, const Moves& moves,
                   const std::shared_ptr<tenancy::UsageAccounts>& accounts) {
  for (const storage::Store& store : stores) {
    const auto move = moves.find(store.name);
    if (move != moves.end()) ListenToOwn(store, move->second, accounts);
  }
}

// A backend has one listener; the caches in front of it, the accounts and every store on it hear of its changes.
// Composed stores first: whoever is told of a change may read at once.
void Listen(const ServiceSettings& settings, const std::vector<OpenBackend>& backends,
            const std::vector<storage::Store>& stores, const Listeners& composed,
            const std::shared_ptr<tenancy::UsageAccounts>& accounts) {
  for (const OpenBackend& open : backends) {
    // What it keeps is recorded in the stores' own backends as well, and counted there.
    if (KeepsOnlyLocks(settings, open.name) || MovesOn(settings, open.name)) continue;
    if (IsReplica(settings, open.name)) continue;
    std::vector<std::shared_ptr<storage::ChangeListener>> listeners;
    for (const storage::Store& store : stores) {
      if (store.backend_name != open.name) continue;
      const auto [own, end] = composed.equal_range(store.name);
      std::for_each(own, end, [&listeners](const auto& each) { listeners.push_back(each.second); });
    }
    listeners.push_back(accounts->Follow(open.backend));
    for (const storage::Store& store : stores) {
      if (store.backend_name == open.name) listeners.push_back(store.coordination->listener());
    }
    open.backend->SetChangeListener(std::make_shared<storage::ListenerFanout>(std::move(listeners)));
  }
}

std::shared_ptr<composition::FailoverBackend> MakeFailover(const StoreSettings& store,
                                                           const std::vector<OpenBackend>& backends) {
  composition::FailoverOptions options = store.failover->options;
  options.on_change = [name = store.name](const storage::FailoverStatus& status) {
    const bool well = status.serving == "primary" && status.reason.empty();
    log::Write(well ? log::Level::kInfo : log::Level::kWarn, "a store with a secondary backend",
               {{"store", name}, {"serving", status.serving}, {"reason", status.reason}});
  };
  return std::make_shared<composition::FailoverBackend>(Find(backends, store.backend).backend,
                                                        Find(backends, store.failover->backend).backend, options);
}

std::shared_ptr<coordination::Locks> LocksOf(const ServiceSettings& settings, const StoreSettings& store,
                                             const std::vector<OpenBackend>& backends) {
  if (store.lock_backends.empty()) return coordination::MakeRowLocks(SystemClock());
  coordination::NamedMasters masters;
  for (const std::string& name : store.lock_backends) masters.emplace_back(name, Find(backends, name).backend);
  return coordination::MakeQuorumLocks(store.name, masters, settings.lock_quorum, SystemClock());
}

// How far the count of the start has come.
void ExportCount(const std::shared_ptr<tenancy::UsageAccounts>& accounts, metrics::Registry& registry) {
  metrics::Gauge& counted = registry.GetGauge(
      "holdfast_usage_counted", "1 once everything that namespaces use has been counted since the start, else 0.");
  metrics::Gauge& entries =
      registry.GetGauge("holdfast_usage_counted_entries", "Entries that the count of the start has read so far.");
  registry.OnCollect([accounts, &counted, &entries] {
    counted.Set(accounts->counted() ? 1 : 0);
    entries.Set(static_cast<double>(accounts->scanned_entries()));
  });
}

}  // namespace

Result<std::vector<OpenBackend>> OpenBackends(const std::vector<BackendSettings>& settings,
                                              const std::function<bool()>& stop) {
  std::vector<OpenBackend> backends;
  for (const BackendSettings& wanted : settings) {
    auto backend = std::visit([&stop](const auto& options) { return Open(options, stop); }, wanted.options);
    if (!backend.ok()) {
      const Status closed = CloseBackends(backends);
      if (!closed.ok()) log::Warn("closing what was open failed", {{"error", closed.error().ToString()}});
      return std::move(backend).error().WithContext(fmt::format("opening backend {}", wanted.name));
    }
    const storage::Statistics statistics = (*backend)->statistics();
    log::Info("backend opened", {{"backend", wanted.name},
                                 {"kind", (*backend)->kind()},
                                 {"durability", (*backend)->capabilities().durability},
                                 {"entries", statistics.entries}});
    storage::ChangeHistory* history = storage::ChangeHistoryOf(**backend);
    if (history == nullptr) history = storage::PostgresHistoryOf(**backend);
    if (history == nullptr) history = storage::RedisHistoryOf(**backend);
    backends.push_back({wanted.name, std::move(backend).value(), history});
  }
  return backends;
}

Status CloseBackends(const std::vector<OpenBackend>& backends) {
  Status first;
  for (const OpenBackend& open : backends) {
    Status closed = open.backend->Close();
    if (!closed.ok() && first.ok()) first = std::move(closed).WithContext(fmt::format("closing backend {}", open.name));
  }
  return first;
}

Status CheckRequirements(const ServiceSettings& settings, const std::vector<OpenBackend>& backends) {
  for (const StoreSettings& store : settings.stores) {
    const OpenBackend& open = Find(backends, store.backend);
    if (!store.require_fencing || open.backend->capabilities().fencing_survives_failover) continue;
    return Error(
        ErrorCode::kFailedPrecondition,
        fmt::format("setting stores.{}.require_fencing: the newest fencing tokens may be gone after a failover "
                    "or restart of backend {} ({}), where writes are held against them; build the store on "
                    "postgres or rocksdb, or leave the setting out",
                    store.name, store.backend, open.backend->kind()));
  }
  return {};
}

// Of the store's changes; null: they are not shipped. What keeps none of its own is listened to.
std::shared_ptr<storage::ChangeHistory> HistoryOf(const StoreSettings& store, const OpenBackend& open,
                                                  Listeners* listeners) {
  if (!store.backups.changes.on) return nullptr;
  if (open.history != nullptr) {
    open.history->KeepAtMost(store.name + '\0', store.backups.changes.buffer_bytes);
    return {open.backend, open.history};
  }
  auto listened =
      std::make_shared<storage::ListenedHistory>(store.name + '\0', store.backups.changes.buffer_bytes, SystemClock());
  listeners->emplace(store.name, listened);
  return listened;
}

std::shared_ptr<const storage::StoreRegistry> BuildStores(const ServiceSettings& settings,
                                                          const std::vector<OpenBackend>& backends,
                                                          const Guards& guards,
                                                          const std::shared_ptr<tenancy::UsageAccounts>& accounts,
                                                          metrics::Registry& registry) {
  std::vector<storage::Store> stores;
  const auto shared = std::make_shared<coordination::SharedCoordination>(settings.coordination);
  Listeners composed;
  Moves moves;
  Replicated replicated;
  std::map<std::string, std::shared_ptr<storage::CacheWarmer>> warmers;
  std::vector<std::shared_ptr<composition::FailoverBackend>> failovers;
  for (const StoreSettings& wanted : settings.stores) {
    std::shared_ptr<storage::Backend> backend = Find(backends, wanted.backend).backend;
    if (wanted.cache) {
      const auto tiered = std::make_shared<composition::TieredBackend>(Find(backends, wanted.cache->backend).backend,
                                                                       backend, wanted.cache->options);
      ExportCache(wanted.name, tiered, registry);
      composed.emplace(wanted.name, tiered->listener());
      warmers.emplace(wanted.name, tiered);
      backend = tiered;
    }
    if (wanted.move) {
      const auto move = MoveOf(wanted, backends);
      ExportMigration(wanted.name, move, registry);
      moves.emplace(wanted.name, move);
      backend = move;
    }
    storage::Store store;
    if (wanted.write_queue) {
      backend = MakeWriteBehind(wanted, backend, Find(backends, wanted.write_queue->backend).backend, &store, registry);
    }
    if (wanted.replicas) {
      const auto replicas = MakeReplicated(wanted, backends);
      store.replication = replicas;
      ExportReplication(wanted.name, replicas, registry);
      replicated.emplace(wanted.name, replicas);
      backend = replicas;
    }
    if (wanted.failover) {
      failovers.push_back(MakeFailover(wanted, backends));
      store.failover = failovers.back();
      ExportFailover(wanted.name, store.failover, registry);
      composed.emplace(wanted.name, failovers.back()->listener());
      backend = failovers.back();
    }
    if (wanted.move) store.migration = moves.at(wanted.name);
    store.name = wanted.name;
    store.backend_name = wanted.backend;
    if (wanted.cache) {
      store.cache_name = wanted.cache->backend;
      store.warmer = warmers.at(wanted.name);
      store.warm_limits = wanted.cache->warm_limits;
    }
    store.lock_backends = wanted.lock_backends;
    store.ttls = std::make_shared<storage::StoreTtls>(wanted.default_ttl, wanted.sliding_ttl);
    store.hot_keys = std::make_shared<hot_keys::HotKeys>(settings.hot_keys, SystemClock());
    store.coordination = std::make_shared<coordination::StoreCoordination>(
        shared, wanted.name, LocksOf(settings, wanted, backends), SystemClock(), registry);
    store.limits = wanted.limits;
    const auto checkpoints = MakeCheckpoints(wanted, backend, registry);
    store.checkpoints = checkpoints;
    store.backups = MakeBackups(wanted, backend, checkpoints,
                                HistoryOf(wanted, Find(backends, wanted.backend), &composed), registry);
    const auto own_guard = GuardOf(guards.stores, wanted.name);
    // Within the quotas: what they refuse says nothing of the store, and a further attempt is no further write of them.
    store.backend = storage::MakeMeasuredBackend(tenancy::MakeQuotaBackend(Behind(own_guard, backend), accounts),
                                                 wanted.name, wanted.backend, registry);
    store.tenants = std::make_shared<storage::TenantViews>(store.backend, store.name, store.limits);
    store.maintainer = std::make_shared<documents::Maintainer>(store.backend, store.name, store.tenants);
    metrics::Histogram& sizes =
        registry.GetHistogram("holdfast_batch_size", "Operations handed to a backend at once.",
                              {{"store", wanted.name}, {"backend", wanted.backend}}, BatchSizeBuckets());
    auto executor = execution::MakeExecutor(store.backend, settings.executor, [&sizes](std::size_t operations) {
      sizes.Observe(static_cast<double>(operations));
    });
    const auto guard = GuardOf(guards.backends, wanted.backend);
    // What the primary's circuit refuses the secondary may answer, and a queue takes.
    if (guard && guard->options().breaker && !wanted.failover && !wanted.replicas && !wanted.write_queue) {
      executor = resilience::MakeGatedExecutor(std::move(executor), guard, /*reads=*/!wanted.cache);
    }
    if (own_guard && own_guard->options().breaker) {
      executor = resilience::MakeGatedExecutor(std::move(executor), own_guard, /*reads=*/true);
    }
    store.executor = std::move(executor);
    stores.push_back(std::move(store));
  }
  Listen(settings, backends, stores, composed, accounts);
  ListenToMoves(stores, moves, accounts);
  for (const storage::Store& store : stores) {
    const auto own = replicated.find(store.name);
    if (own == replicated.end()) continue;
    ListenToOwn(store, own->second, accounts);
    own->second->Start();
  }
  for (const auto& failover : failovers) failover->Start();
  return std::make_shared<storage::StoreRegistry>(std::move(stores), settings.default_store);
}

void StopWaiting(const storage::StoreRegistry& stores) {
  for (const storage::Store& store : stores.stores()) store.coordination->Stop();
}

Result<std::shared_ptr<const tenancy::Tenancy>> BuildTenancy(const ServiceSettings& settings,
                                                             const storage::StoreRegistry& stores,
                                                             std::shared_ptr<tenancy::UsageAccounts> accounts,
                                                             metrics::Registry& registry) {
  auto built = std::make_shared<tenancy::Tenancy>();
  built->accounts = std::move(accounts);
  const storage::Store& store = stores.default_store();
  built->quotas = std::make_shared<tenancy::QuotaRecords>(store.backend, store.name, built->accounts);
  // Without its quotas the service would let everybody grow, so it rather does not start.
  HOLDFAST_RETURN_IF_ERROR(built->quotas->Load(Deadline::After(settings.start_timeout)));
  HOLDFAST_ASSIGN_OR_RETURN(built->audit, tenancy::AuditLog::Open(settings.audit, registry));
  HOLDFAST_ASSIGN_OR_RETURN(built->access, tenancy::AccessControl::Open(settings.access, registry));
  ExportCount(built->accounts, registry);
  return std::shared_ptr<const tenancy::Tenancy>(std::move(built));
}

void StartCounting(tenancy::UsageAccounts& accounts) {
  accounts.StartCount();
  // Most are counted before anybody asks; then nobody is refused for want of a count.
  if (accounts.any_limited()) static_cast<void>(accounts.WaitUntilCounted(Deadline::After(kCountPatience)));
}

Status StartMigrations(const storage::StoreRegistry& stores, Deadline deadline) {
  for (const storage::Store& store : stores.stores()) {
    if (store.migration == nullptr) continue;
    HOLDFAST_RETURN_IF_ERROR(
        store.migration->Start(deadline).WithContext(fmt::format("the migration of store {}", store.name)));
  }
  return {};
}

void StopMigrations(const storage::StoreRegistry& stores) {
  for (const storage::Store& store : stores.stores()) {
    if (store.migration != nullptr) store.migration->Stop();
  }
}

void StartMaintenance(const storage::StoreRegistry& stores) {
  for (const storage::Store& store : stores.stores()) store.maintainer->Start();
}

void StopMaintenance(const storage::StoreRegistry& stores) {
  for (const storage::Store& store : stores.stores()) store.maintainer->Stop();
}

void StopFailovers(const storage::StoreRegistry& stores) {
  for (const storage::Store& store : stores.stores()) {
    if (store.failover) store.failover->Stop();
  }
}

void StopReplication(const storage::StoreRegistry& stores) {
  for (const storage::Store& store : stores.stores()) {
    if (store.replication) store.replication->Stop();
  }
}

void DrainStores(const storage::StoreRegistry& stores) {
  for (const storage::Store& store : stores.stores()) store.executor->Drain();
}

}  // namespace holdfast::service
