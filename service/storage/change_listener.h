// Hears of every change of a backend's entries: what watches, usage accounts and caches are built on.
#pragma once

#include <string_view>

#include "service/storage/types.h"

namespace holdfast::storage {

enum class ChangeCause {
  kOperation,  // an Execute, Transact or DeleteRange
  kExpired,    // the sweeper removed what had expired
  kEvicted,    // a live entry made room for others
};

// Called once for every change that has taken effect, as durable as the backend makes its acknowledgements, and before
// the caller of the operation hears of it. The key is still locked: changes of one key arrive in their order, those of
// different keys in any. Must be short, must not throw and must not call the backend.
//
// Not heard of: a write that ended kOutcomeUnknown, and what Close forgets.
class ChangeListener {
 public:
  virtual ~ChangeListener() = default;
  // `before`: what stood there, which may have expired without having been removed; null = nothing. `after`: what
  // stands there now; null = nothing. A touch that changes only the expiry is a change too.
  virtual void OnChange(std::string_view key, const EntryPtr& before, const EntryPtr& after,
                        ChangeCause cause) noexcept = 0;
  // Changes that others made were missed, and nobody can tell which: what was derived from them has to be read again.
  // Only backends that several processes share call it.
  virtual void OnMissed() noexcept {}
};

}  // namespace holdfast::storage
