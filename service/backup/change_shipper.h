// Ships the changes of a store to its change log, in segments, as long as the store is served.
//
// The log itself says how far it is: each segment names the position in the backend's history behind it. So nothing is
// kept elsewhere, and a process that ends at any moment leaves a whole log behind, which the next one takes up where it
// ends. Of several instances each may try: a number is taken once (Target::PutNew), and who comes second goes on behind
// what the first one shipped. A history that several instances share is shipped to no target that cannot promise that.
//
// A segment whose upload ended without an answer is uploaded again as it is, before anything else: a server may do what
// it was sent long after nobody waits for it any more, and where it does not create conditionally (s3_target.h) that
// would take the place of another segment of that number, which the next one names.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/metrics/metrics.h"
#include "base/time/clock.h"
#include "service/backup/backup_options.h"
#include "service/backup/change_log.h"
#include "service/backup/change_metrics.h"

namespace holdfast::backup {

// Up to where the log is whole on its target.
struct Shipped {
  std::uint64_t number = 0;  // of the last segment
  std::uint64_t since = 0;   // from this one on nothing is missing
  Timestamp until{};
};

// Thread-safe.
class ChangeShipper {
 public:
  // All of them outlive it; `history` is the backend's. `kind`: Backend::kind().
  ChangeShipper(const ChangeLog& log, storage::ChangeHistory& history, std::string store, std::string kind,
                const ChangeArchiveOptions& options, int level, const Clock& clock, metrics::Registry& registry);

  // Everything that was acknowledged before the call is with the target when it returns ok; `cover`: that there was
  // nothing more until now too, which otherwise is said now and then only. A gap is recorded and no error.
  Result<Shipped> Ship(bool cover, Deadline deadline);
  // What the log itself says: for who leaves it to another instance to ship.
  Result<Shipped> Look(Deadline deadline);

 private:
  Status ShipAll(bool cover, Deadline deadline);
  Status LoadTail(Deadline deadline);
  // What came behind the tail, as one segment if there is a reason for one; true: that was all of it.
  Result<bool> Step(bool cover, Deadline deadline);
  bool IsDue(const storage::ChangePage& page, bool cover) const;
  Status Append(const storage::ChangePage& page, const std::string& gap, Deadline deadline);
  // What was encoded last, to the target.
  Status Send(Deadline deadline);

  const ChangeLog& log_;
  storage::ChangeHistory& history_;
  const std::string store_;
  const std::string kind_;
  const std::string prefix_;
  const ChangeArchiveOptions options_;
  const int level_;
  const Clock& clock_;
  ChangeMetrics metrics_;

  std::mutex mutex_;
  // Guarded by mutex_: the last segment, as far as this instance knows; number 0: there is none.
  bool loaded_ = false;
  ChangeLog::Newest tail_;
  std::optional<ChangeLog::Encoded> unsent_;  // behind the tail; nobody has said yet that it is there or cannot be
  std::string released_;                      // the position that the history was last told of
  std::string position_;      // up to where the history was looked at since; nothing to ship lay between
  std::uint64_t passed_ = 0;  // bytes of it that did
};

}  // namespace holdfast::backup
