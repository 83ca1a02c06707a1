#include "service/settings_moves.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "service/setting_rows.h"
#include "service/storage/key_space.h"
#include "service/store_rows.h"

namespace holdfast::service {
namespace {

constexpr std::array kRowsOfAMove = {"migrate_batch", "migrate_rate", "migrate_lease"};

bool IsShared(const BackendSettings& backend) {
  return std::holds_alternative<storage::PostgresOptions>(backend.options) ||
         std::holds_alternative<storage::RedisOptions>(backend.options);
}

// Whether another store, or its cache, or its secondary, or the locks of any, use the backend.
bool IsUsedBeside(const ServiceSettings& settings, const StoreSettings& mover, const std::string& backend) {
  return std::any_of(settings.stores.begin(), settings.stores.end(), [&](const StoreSettings& store) {
    const bool keeps_locks =
        std::find(store.lock_backends.begin(), store.lock_backends.end(), backend) != store.lock_backends.end();
    if (keeps_locks || (store.cache && store.cache->backend == backend)) return true;
    if (store.failover && store.failover->backend == backend) return true;
    return store.name != mover.name && (store.backend == backend || (store.move && store.move->backend == backend));
  });
}

// Why the store cannot move there; empty when it can.
std::string WhyNot(ServiceSettings& settings, const StoreSettings& store, const std::string& target) {
  const BackendSettings* const from = FindBackend(settings.backends, store.backend);
  const BackendSettings* const to = FindBackend(settings.backends, target);
  if (to == nullptr) return fmt::format("there is no backend \"{}\"; name one of the backends", target);
  if (from == to) return "is the backend of the store itself; name another one";
  if (from == nullptr) return "";  // which has been said
  if (store.cache) return "the store has a cache; leave `cache` out until the migration is over";
  if (store.failover) return "the store has a secondary; leave `failover` out until the migration is over";
  for (const std::string& name : {store.backend, target}) {
    if (!IsUsedBeside(settings, store, name)) continue;
    return fmt::format("backend {} has other uses; source and target of a migration belong to its store alone", name);
  }
  if (IsShared(*from) && !IsShared(*to)) {
    return fmt::format("backend {} is shared by instances, and {} is in each of them; move to postgres or redis",
                       store.backend, target);
  }
  return "";
}

// What the service needs for itself (storage::BackendLimits) comes on top when the backend is opened.
void MakeRoom(BackendSettings& backend) {
  std::visit(
      [](auto& options) {
        const storage::Limits room = dual_write::WithRoomForRows(storage::BackendLimits(options.limits));
        options.limits.max_key_bytes += dual_write::kRowKeyBytes;
        options.limits.max_value_bytes = room.max_value_bytes;
        options.limits.max_operations = room.max_operations;
      },
      backend.options);
}

}  // namespace

void AddMoves(std::vector<config::Setting>* rows) {
  rows->insert(
      rows->end(),
      {
          Text("stores.*.migrate_to", "",
               "Backend that the store can be moved to while it is in use (POST /v1/stores/NAME/migration). Both "
               "backends belong to the store alone."),
          Integer("stores.*.migrate_batch", "200", 1, 2'000, "migrate_to: keys copied or compared at once."),
          Integer("stores.*.migrate_rate", "0", 0, 1'000'000'000,
                  "migrate_to: keys copied or compared in a second at most; 0 = as many as it can."),
          Duration("stores.*.migrate_lease", "10s", kSecond, kHour,
                   "migrate_to: an instance that the source has not heard of for so long is not waited for when the "
                   "phase changes; it serves nothing until it is heard of again."),
      });
}

void ReadMovesOfStores(const config::Settings& settings, ServiceSettings* result,
                       std::vector<config::Problem>* problems) {
  for (StoreSettings& store : result->stores) {
    // Of stores that stand in the settings.
    const auto names = settings.Names("stores");
    if (std::find(names.begin(), names.end(), store.name) == names.end()) continue;
    const auto row = [&](std::string_view of) { return fmt::format("stores.{}.{}", store.name, of); };
    const auto add = [&](std::string_view of, std::string message) {
      problems->push_back({fmt::format("setting {}", row(of)), std::move(message)});
    };
    const std::string target = settings.String(row("migrate_to"));
    if (target.empty()) {
      for (const char* of : kRowsOfAMove) {
        if (settings.IsSet(row(of))) add(of, "has no meaning without migrate_to; name a backend there or leave it out");
      }
      continue;
    }
    if (std::string why = WhyNot(*result, store, target); !why.empty()) {
      add("migrate_to", std::move(why));
      continue;
    }
    MoveSettings move;
    move.backend = target;
    move.mover.batch = static_cast<std::size_t>(settings.Integer(row("migrate_batch")));
    move.mover.rate = static_cast<std::uint64_t>(settings.Integer(row("migrate_rate")));
    move.membership.lease = settings.Duration(row("migrate_lease"));
    store.move = move;
    if (BackendSettings* const from = FindBackend(result->backends, store.backend)) MakeRoom(*from);
    MakeRoom(*FindBackend(result->backends, target));
  }
}

bool MovesOn(const ServiceSettings& settings, std::string_view backend) {
  return std::any_of(settings.stores.begin(), settings.stores.end(), [&](const StoreSettings& store) {
    return store.move && (store.backend == backend || store.move->backend == backend);
  });
}

}  // namespace holdfast::service
