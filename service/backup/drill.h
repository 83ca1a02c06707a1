// A drill: a backup is restored into a scratch store, as it would be into the real one, and what that holds then is
// compared with the manifest. A backup that was never restored does not count.
#pragma once

#include <chrono>
#include <memory>

#include "service/backup/chain.h"
#include "service/backup/work.h"
#include "service/storage/backend.h"

namespace holdfast::backup {

// Where drills restore to. One drill at a time.
class ScratchPlace {
 public:
  virtual ~ScratchPlace() = default;
  // An empty backend that takes entries of these limits; `clock` outlives it. kResourceExhausted: there is no room.
  virtual Result<std::unique_ptr<storage::Backend>> Open(const storage::Limits& limits, const Clock& clock) = 0;
  // Removes what drills have left, also those of a process that ended; none has its backend open.
  virtual Status Clear() = 0;
};

// Time to restore all of it, the comparison not included. kCorruption: it cannot be restored, or what was restored is
// not what was backed up, by the count of entries, their bytes and their hash. Nothing is left in `place`.
Result<std::chrono::microseconds> Drill(const Chain& chain, Target& target, ScratchPlace& place,
                                        const storage::Limits& limits, int threads, Work& work);

}  // namespace holdfast::backup
