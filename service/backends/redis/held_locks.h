// The locks that are held as far as this instance has heard: what is left of them when the server has lost its data.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "service/storage/types.h"

namespace holdfast::storage::redis_backend {

// Whether the key is the row of a lock (key_space.h).
bool IsLock(std::string_view backend_key);

// Thread-safe. Holds a row for each lock that is held, or was when the data was lost.
class HeldLocks {
 public:
  // A key has changed to this; null: it is gone. Other keys than locks mean nothing.
  void Note(std::string_view key, const EntryPtr& after);
  // When the last of them expires, in microseconds since 1970; 0: none.
  std::int64_t Latest() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::int64_t, std::less<>> expiries_;  // guarded by mutex_
};

}  // namespace holdfast::storage::redis_backend
