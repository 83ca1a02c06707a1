#include "service/composition/secondary_versions.h"

#include <algorithm>

#include "service/composition/replay.h"

namespace holdfast::composition {

using storage::Operation;
using storage::Version;

SecondaryVersions::SecondaryVersions(storage::Backend& rows, const storage::KeyRange& keys, const Clock& clock)
    : rows_(rows), key_(FailoverKey(FailoverRow::kVersions, keys.start)), clock_(clock) {}

Status SecondaryVersions::Open(Deadline deadline) {
  storage::OperationResult read = ExecuteOne(rows_, Operation::Get(key_), deadline);
  if (IsCode(read.status, ErrorCode::kNotFound)) return {};
  HOLDFAST_RETURN_IF_ERROR(std::move(read.status));
  const auto bound = DecodeVersionBound(read.entry->value);
  if (!bound) return Error(ErrorCode::kCorruption, "the row that bounds the versions of waiting writes is damaged");
  const std::lock_guard lock(mutex_);
  bound_ = *bound;
  last_ = std::max(last_, bound_);
  return {};
}

Result<Version> SecondaryVersions::Next(Version above, Deadline deadline) {
  constexpr auto kStep = static_cast<Version>(std::chrono::microseconds{kAhead}.count());
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto now = static_cast<Version>(clock_.Now().time_since_epoch().count());
    const Version next = std::max({last_ + 1, kSecondaryVersions + now, above + 1});
    if (next <= bound_) {
      last_ = next;
      return next;
    }
    if (keeping_) {
      if (kept_.wait_until(lock, deadline.WaitUntil(), [this] { return !keeping_; })) continue;
      return Error(ErrorCode::kDeadlineExceeded,
                   "the deadline passed before versions could be given; nothing was done");
    }
    keeping_ = true;
    lock.unlock();
    Status kept = Keep(next + kStep, deadline);
    lock.lock();
    keeping_ = false;
    if (kept.ok()) bound_ = next + kStep;
    kept_.notify_all();
    HOLDFAST_RETURN_IF_ERROR(std::move(kept));
  }
}

Status SecondaryVersions::Keep(Version bound, Deadline deadline) {
  Status kept = ExecuteOne(rows_, Operation::Put(key_, EncodeVersionBound(bound)), deadline).status;
  if (!IsCode(kept, ErrorCode::kOutcomeUnknown)) return std::move(kept).WithContext("bounding versions");
  return Error(ErrorCode::kUnavailable,
               "versions could not be bounded; nothing was done, try again: " + kept.error().message());
}

}  // namespace holdfast::composition
