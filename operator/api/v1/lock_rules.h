// The rules of stores[].lockBackends: which servers a majority of may keep a store's locks. They are those of the
// service (service/settings_locks.h), and ask of servers that the operator runs what it can see in the spec.
#pragma once

#include <cstddef>

#include "operator/api/v1/field.h"

namespace holdfast::api {

inline constexpr std::size_t kFewestLockBackends = 3;
inline constexpr std::size_t kMostLockBackends = 9;

// On the list: an even number outlives no more failures than one less, and a server named twice would vote twice.
Rule LockBackendsAreOddRule();
Rule LockBackendsDifferRule();

// On stores[]. Pods of before and after a change would ask different servers, and both find a majority.
Rule LockBackendsAreImmutableRule();

// On spec.
Rule LockBackendsAreDurableServersRule();
// Whoever fills a server's memory with entries would keep the locks from being written.
Rule LockBackendsKeepNothingElseRule();

}  // namespace holdfast::api
