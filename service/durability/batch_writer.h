// Writes operations to a backend, many at a time and on several threads: those on different keys, in no order.
#pragma once

#include <condition_variable>
#include <mutex>
#include <span>
#include <vector>

#include "service/durability/restore.h"
#include "service/execution/task_pool.h"
#include "service/storage/backend.h"

namespace holdfast::durability {

// Not thread-safe. Ends with what was begun.
class BatchWriter {
 public:
  // `backend` outlives it.
  BatchWriter(storage::Backend& backend, const RestoreOptions& options);

  // The next operation, to be assigned as a whole before Add: its texts may have the room of earlier ones. Valid until
  // then.
  storage::Operation& Next();
  // It is to be done; no key twice. A call whose failure may pass is made again. A fence that is higher already and an
  // answer that is there are left as they are. After an error, which may be that of an earlier operation, it is of no
  // more use.
  Status Add();
  // Everything is written.
  Status Finish();

 private:
  // The operations at the front; those behind are spent ones.
  struct Batch {
    std::vector<storage::Operation> operations;
    std::size_t size = 0;
  };

  Status Flush();
  void Write(Batch batch);
  Status Execute(std::span<storage::Operation>* operations);

  storage::Backend& backend_;
  const RestoreOptions options_;
  const std::size_t load_operations_;
  const std::size_t most_operations_;
  const std::size_t most_bytes_;
  Batch filling_;
  std::size_t bytes_ = 0;  // of it

  std::mutex mutex_;
  std::condition_variable done_;
  std::size_t writing_ = 0;  // batches; guarded by mutex_
  Status failed_;            // the first that did; guarded by mutex_
  // Written ones, to be filled again by the thread that filled them: what another thread frees is dear. Guarded by
  // mutex_.
  std::vector<Batch> spent_;
  execution::TaskPool pool_;
};

}  // namespace holdfast::durability
