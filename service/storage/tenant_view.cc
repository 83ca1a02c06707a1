#include "service/storage/tenant_view.h"

#include "service/storage/confined_backend.h"

namespace holdfast::storage {

TenantViews::TenantViews(std::shared_ptr<Backend> backend, std::string store, const Limits& limits)
    : backend_(std::move(backend)), store_(std::move(store)), limits_(limits), default_(Make(kDefaultNamespace)) {}

std::shared_ptr<const TenantView> TenantViews::Find(std::string_view name_space) {
  if (name_space == kDefaultNamespace) return default_;
  {
    std::shared_lock lock(mutex_);
    if (const auto found = others_.find(name_space); found != others_.end()) return found->second;
  }
  auto view = Make(name_space);
  std::unique_lock lock(mutex_);
  if (others_.size() >= kMaxKept) return view;
  return others_.emplace(std::string(name_space), std::move(view)).first->second;
}

std::shared_ptr<const TenantView> TenantViews::Make(std::string_view name_space) const {
  const KeySpace space(store_, name_space);
  // The rooms' own keys are longer than a client's: a letter in front, values of indexes behind.
  Limits room_limits = limits_;
  room_limits.max_key_bytes = limits_.max_key_bytes + kReservedKeyBytes - space.prefix().size();
  // Nor are the service's own transactions a batch of the client's.
  room_limits.max_operations = limits_.max_operations + kReservedOperations;
  return std::make_shared<const TenantView>(TenantView{std::string(name_space), space, space.In(Room::kKeys),
                                                       Confine(backend_, space, room_limits),
                                                       Confine(backend_, space.In(Room::kKeys), limits_)});
}

}  // namespace holdfast::storage
