// How far behind a replica is, measured by what it shows: this instance marks its row of `instances` on the primary
// again and again, and a replica that shows a mark has everything that was committed before the mark was sent. Only
// this process's clock is read, so it is right on an idle primary, behind a cascade, with clocks that disagree, and of
// a replica that was left behind on an old timeline and will never show a mark of the new one. (Heartbeats in a
// replicated row: pt-heartbeat of Percona Toolkit; pg_last_xact_replay_timestamp stands still while nothing is
// written.)
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "service/backends/postgres/change_log.h"
#include "service/backends/postgres/connection.h"
#include "service/storage/periodic_task.h"

namespace holdfast::storage::postgres {

// Thread-safe. Has a thread and a connection of its own.
class Beats {
 public:
  // Everything given outlives it. Marks older than `kept` are forgotten.
  Beats(const Statements& statements, const PostgresOptions& options, PrimaryChoice& choice, const ChangeLog& changes,
        Watchdog& watchdog, std::chrono::milliseconds interval, std::chrono::milliseconds kept);

  // Whose row the marks stand in; 0 before the first.
  std::int64_t instance() const;

  struct Sight {
    std::chrono::steady_clock::time_point sent_at;  // what was committed before is there
    bool newest = false;                            // no later mark has been set
    bool exact = false;                             // it is a mark of ours; else another one that came behind it
    std::uint64_t history = 0;  // marks of two histories, before and after a failover, cannot be compared
  };
  // What a replica shows that has this in the row; nullopt when it is older than all that is remembered.
  std::optional<Sight> Place(std::int64_t instance, std::int64_t mark) const;

  void Stop() { task_.Stop(); }

 private:
  struct Mark {
    std::int64_t mark;
    std::chrono::steady_clock::time_point sent_at;
  };

  void Beat();
  void Remember(std::int64_t instance, const std::string& timeline, const Mark& mark);

  const Statements& statements_;
  const PostgresOptions& options_;
  PrimaryChoice& choice_;
  const ChangeLog& changes_;
  Watchdog& watchdog_;
  const std::chrono::milliseconds kept_;
  std::unique_ptr<Connection> connection_;  // touched by the thread only

  mutable std::mutex mutex_;
  std::int64_t instance_ = 0;  // guarded by mutex_
  std::string timeline_;       // guarded by mutex_
  std::uint64_t history_ = 0;  // guarded by mutex_
  std::deque<Mark> marks_;     // guarded by mutex_; rising
  // Last, so that its thread ends before what it uses.
  PeriodicTask task_;
};

}  // namespace holdfast::storage::postgres
