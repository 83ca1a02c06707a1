// All entries of a range, in the order of their keys, in pages of about kPageBytes: what is in memory does not grow
// with the range. No snapshot: storage/backend.h says what a scan sees.
#pragma once

#include <optional>
#include <string>

#include "service/storage/backend.h"
#include "service/transfer/patience.h"

namespace holdfast::transfer {

inline constexpr std::size_t kPageBytes = 4u << 20;
inline constexpr std::size_t kMostEntries = 5'000;

// Not thread-safe.
class PageWalk {
 public:
  // Behind `after`. `backend` outlives it.
  PageWalk(storage::Backend& backend, storage::KeyRange range, const std::string& after,
           const BackoffPolicy& pauses = kPauses);

  // The next page, which may be empty; asked again kAttempts times while the failure may pass.
  Result<storage::ScanPage> Next();
  // Has the walk go on behind `key` (empty: from the beginning): what stands behind it is read again.
  void BackTo(const std::string& key);
  bool complete() const { return complete_; }

 private:
  storage::Backend& backend_;
  const BackoffPolicy pauses_;
  storage::ScanRequest request_;
  bool complete_ = false;
};

}  // namespace holdfast::transfer
