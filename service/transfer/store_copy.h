// Copies entries from one store into another, as the put that makes them what they are: value, content type, metadata,
// tags and the instant of expiry. Version and times are the target's own.
//
// What the target has is not taken away from it: an entry that is there is replaced only by a newer one, by the times
// at which the two were written, each by the clock of its backend, and only while it is still the one that was looked
// at, so that a client's write at the same moment is never overwritten. With kOverwrite the source's entry is put
// whatever stands there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "service/storage/backend.h"
#include "service/transfer/patience.h"

namespace holdfast::transfer {

enum class Replace { kOlder, kAll };

struct CopyCounts {
  std::uint64_t copied = 0;
  std::uint64_t same = 0;    // the target had the same
  std::uint64_t newer = 0;   // the target had something else, and no older: left as it is
  std::uint64_t failed = 0;  // the target takes no such entry
};

struct CopyFailure {
  std::string key;
  Error error;
};

// Not thread-safe; its calls to the target are made by as many threads as the target works best with.
class StoreCopy {
 public:
  // `target` outlives it.
  StoreCopy(storage::Backend& target, Replace replace, const BackoffPolicy& pauses = kPauses);

  // Adds to `counts`. What the target does not take for reasons of its own (a value above its limit) is in the answer.
  // An error when it could not be reached, also not later: a part may have been copied, and may be copied again.
  Result<std::vector<CopyFailure>> Copy(const storage::ScanPage& page, CopyCounts& counts) const;

 private:
  struct Outcome;

  Outcome CopyPart(std::span<const storage::KeyedEntry> entries) const;

  storage::Backend& target_;
  const Replace replace_;
  const BackoffPolicy pauses_;
};

}  // namespace holdfast::transfer
