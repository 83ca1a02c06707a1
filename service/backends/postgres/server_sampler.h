// What the server says of itself: its own statistics views, read every statistics_interval over one connection of its
// own, each view in a statement of its own that lasts at most statistics_timeout. A view that cannot be read, or whose
// figures the role may not see (some ask for pg_monitor), leaves its part out; without a connection everything is left
// out. Nothing that is not known is shown as 0.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "service/backends/postgres/connection.h"
#include "service/backends/postgres/statements.h"
#include "service/storage/backend.h"
#include "service/storage/periodic_task.h"

namespace holdfast::storage::postgres {

// Of the values that the server keeps compressed, in a sample of the table: their bytes before and after; 0: none.
struct ValueSizes {
  std::uint64_t before = 0;
  std::uint64_t after = 0;
};

// Thread-safe. Has a thread.
class ServerSampler {
 public:
  // Everything given outlives it. Begins at once.
  ServerSampler(const Statements& statements, const PostgresOptions& options, PrimaryChoice& choice,
                Watchdog& watchdog);

  // Of the last time; at most statistics_interval and six times statistics_timeout old.
  ServerStatistics statistics() const;
  // Likewise.
  ValueSizes value_sizes() const;

  // Returns when the statement in progress has ended. Idempotent.
  void Stop();

 private:
  struct Sampled {
    ServerStatistics server;
    ValueSizes values;
  };

  void Sample();
  Status Connect();
  // The rows; none when the server refuses. The error is that the connection is gone.
  Result<pqxx::result> Ask(const Statement& statement);
  Result<Sampled> AskAll();

  const Statements& statements_;
  const PostgresOptions& options_;
  PrimaryChoice& choice_;
  Watchdog& watchdog_;

  // Touched by the thread only.
  std::unique_ptr<Connection> connection_;
  std::chrono::steady_clock::time_point next_{};
  bool failing_ = false;

  mutable std::mutex mutex_;
  Sampled last_;  // guarded by mutex_
  // Last, so that its thread ends before what it uses.
  PeriodicTask task_;
};

}  // namespace holdfast::storage::postgres
