// Versions of writes that were acknowledged before the backend that decides had them. They lie above every version of a
// backend (kSecondaryVersions) and follow the clock, but never come again, wherever that is set: before one is given, a
// bound at or above it stands in a row of the backend that keeps those writes, and a start goes on above the bound.
// That holds as long as the backend keeps the row, which is as long as it keeps the writes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "base/time/deadline.h"
#include "service/composition/failover_rows.h"
#include "service/storage/backend.h"

namespace holdfast::composition {

// Thread-safe.
class SecondaryVersions {
 public:
  // How far ahead the bound is put: so long no further row is written.
  static constexpr std::chrono::minutes kAhead{1};

  // `rows` keeps the bound of the store that has these keys. It and `clock` outlive this.
  SecondaryVersions(storage::Backend& rows, const storage::KeyRange& keys, const Clock& clock);

  // Finds the bound of earlier processes. Before everything else.
  Status Open(Deadline deadline);
  // Above `above` and all that were given before, by earlier processes too. An error: none was given, since the bound
  // could not be kept (never kOutcomeUnknown: it may be kept all the same, and no harm is done).
  Result<storage::Version> Next(storage::Version above, Deadline deadline);

 private:
  Status Keep(storage::Version bound, Deadline deadline);

  storage::Backend& rows_;
  const std::string key_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable kept_;
  storage::Version last_ = kSecondaryVersions;  // guarded by mutex_
  storage::Version bound_ = 0;                  // guarded by mutex_; none above it is given
  bool keeping_ = false;                        // guarded by mutex_; somebody is writing a further one
};

}  // namespace holdfast::composition
