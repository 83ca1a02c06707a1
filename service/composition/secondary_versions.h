// Versions of writes that were acknowledged before the backend that decides had them. They rise, lie above every
// version of a backend (kSecondaryVersions), and begin at the clock, so that those of an earlier process are below.
#pragma once

#include <algorithm>
#include <mutex>

#include "base/time/clock.h"
#include "service/composition/failover_rows.h"

namespace holdfast::composition {

// Thread-safe.
class SecondaryVersions {
 public:
  // `clock` outlives it.
  explicit SecondaryVersions(const Clock& clock) : clock_(clock) {}

  storage::Version Next(storage::Version above) {
    const auto now = static_cast<storage::Version>(clock_.Now().time_since_epoch().count());
    std::lock_guard lock(mutex_);
    last_ = std::max({last_ + 1, kSecondaryVersions + now, above + 1});
    return last_;
  }

 private:
  const Clock& clock_;
  std::mutex mutex_;
  storage::Version last_ = kSecondaryVersions;  // guarded by mutex_
};

}  // namespace holdfast::composition
