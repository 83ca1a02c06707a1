// The secret that cursors are signed with. It is kept in the default store, among the service's own rows, so that every
// replica of the service and every later start of it knows the same one. Made once, on the first use; never changed.
#pragma once

#include <memory>
#include <mutex>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/api/cursor.h"
#include "service/storage/store.h"

namespace holdfast::api {

// Thread-safe.
class CursorSecret {
 public:
  // `store` outlives it.
  explicit CursorSecret(const storage::Store& store) : store_(store) {}

  // Reads the backend until it has succeeded once: not on an I/O thread. kUnavailable and the like when the backend
  // cannot answer; kCorruption when what is kept there is no secret.
  Result<std::shared_ptr<const CursorSigner>> Signer(Deadline deadline);

 private:
  Result<std::string> ReadOrMake(Deadline deadline) const;

  const storage::Store& store_;
  std::mutex mutex_;                            // also held while reading: one reader is enough
  std::shared_ptr<const CursorSigner> signer_;  // guarded by mutex_
};

}  // namespace holdfast::api
