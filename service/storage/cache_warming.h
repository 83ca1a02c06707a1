// Filling the cache of a store before anybody asks, by a range of keys.
#pragma once

#include <cstdint>
#include <string>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/storage/types.h"

namespace holdfast::storage {

struct WarmLimits {
  std::uint64_t entries = 0;     // at most, as what follows
  std::uint64_t bytes = 0;       // keys and values
  std::uint64_t per_second = 0;  // entries; 0: as fast as it goes
};

struct WarmReport {
  std::uint64_t entries = 0;  // that were read into the cache
  std::uint64_t bytes = 0;
  std::string last;       // the last key that was looked at; the rest of the range lies behind it
  bool complete = false;  // there are no more in the range; else a limit or the deadline ended it
};

// Thread-safe.
class CacheWarmer {
 public:
  virtual ~CacheWarmer() = default;
  // Reads entries of the range, in the order of their keys, as gets would that miss. Not an error: the deadline passed.
  // kNotSupported where copies would not be shown, kCancelled once it has been stopped.
  virtual Result<WarmReport> Warm(const KeyRange& range, const WarmLimits& limits, Deadline deadline) = 0;
};

}  // namespace holdfast::storage
