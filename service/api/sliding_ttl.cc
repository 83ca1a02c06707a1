#include "service/api/sliding_ttl.h"

#include "service/execution/executor.h"

namespace holdfast::api {

void Slide(const Exchange& exchange, std::string_view key, const storage::Entry& entry) {
  const auto ttl = exchange.store().ttls->sliding_ttl();
  if (!ttl || !entry.expires_at) return;
  const auto left = *entry.expires_at - exchange.context().options.clock->Now();
  if (left > *ttl - *ttl / 10) return;
  storage::Operation touch = storage::Operation::Touch(std::string(key), storage::Expiry::After(*ttl),
                                                       storage::Precondition::VersionIs(entry.version));
  exchange.tenant().key_space.Wrap(touch);
  exchange.store().executor->SubmitOne(std::move(touch), exchange.deadline(), [](const storage::OperationResult&) {});
}

}  // namespace holdfast::api
