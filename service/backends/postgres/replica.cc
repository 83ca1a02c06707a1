#include "service/backends/postgres/replica.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log/log.h"
#include "service/backends/postgres/entry_row.h"

namespace holdfast::storage::postgres {
namespace {

using SteadyClock = std::chrono::steady_clock;

PostgresOptions OptionsOf(const std::string& url, PostgresOptions options) {
  options.url = url;
  options.direct_url.clear();
  options.min_connections = 0;
  // A read that finds all connections in use has the primary to turn to.
  options.acquire_timeout = options.replica_timeout;
  return options;
}

}  // namespace

Replica::Replica(std::string name, const std::string& url, const PostgresOptions& options, const Statements& statements,
                 const Clock* clock, const Beats& beats, PrimaryChoice& choice, Watchdog& watchdog,
                 std::chrono::milliseconds interval)
    : options_(OptionsOf(url, options)),
      name_(std::move(name)),
      statements_(statements),
      beats_(beats),
      choice_(choice),
      watchdog_(watchdog),
      interval_(interval),
      shown_at_(SteadyClock::now()),
      pool_(options_, Connection::Purpose::kReplica, choice, watchdog),
      reader_(pool_, statements, options_, clock),
      task_(interval, [this] { Check(); }) {}

bool Replica::InRotation() const {
  const std::lock_guard lock(mutex_);
  return !suspended_ && SteadyClock::now() - shown_at_ <= options_.max_replication_lag;
}

void Replica::Suspend() {
  const std::lock_guard lock(mutex_);
  suspended_ = true;
  ++failed_;
}

ReplicaStatistics Replica::statistics() const {
  ReplicaStatistics statistics;
  statistics.name = name_;
  statistics.in_rotation = InRotation();
  statistics.reads = reads_.load(std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  if (!caught_up_) {
    statistics.lag = std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - shown_at_);
  }
  return statistics;
}

void Replica::Check() {
  if (SteadyClock::now() < next_attempt_) return TellChange({});
  std::uint64_t failed_before = 0;
  {
    const std::lock_guard lock(mutex_);
    failed_before = failed_;
  }
  const Result<std::optional<Beats::Sight>> looked = Look();
  if (!looked.ok()) {
    connection_.reset();
    BackOff();
  } else {
    back_off_ = std::chrono::milliseconds{0};
  }
  {
    const std::lock_guard lock(mutex_);
    caught_up_ = looked.ok() && *looked && (*looked)->newest;
    if (!looked.ok()) suspended_ = true;
    if (looked.ok() && *looked) {
      shown_at_ = (*looked)->sent_at;
      if (failed_ == failed_before) suspended_ = false;
    }
  }
  TellChange(looked.ok() ? Status() : Status(looked.error()));
}

Result<std::optional<Beats::Sight>> Replica::Look() {
  if (!connection_ || !connection_->usable()) {
    connection_.reset();
    HOLDFAST_ASSIGN_OR_RETURN(connection_,
                              Connection::Open(options_, Connection::Purpose::kReplica, choice_, watchdog_));
  }
  std::optional<Beats::Sight> sight;
  const std::int64_t instance = beats_.instance();
  const Answered shown = connection_->Run(statements_.shown, Deadline::After(pool::kProbePatience), instance);
  if (!shown.ok()) return shown.failure->error;
  if (shown.rows.empty()) return sight;
  HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t mark, NumberOf(shown.rows[0][0]));
  sight = beats_.Place(instance, mark);
  if (!sight) return sight;
  if (sight->exact) proven_history_ = sight->history;
  // Of another history, until it has shown one of ours: which of the two is later nobody can tell.
  if (sight->history != proven_history_) sight.reset();
  return sight;
}

void Replica::BackOff() {
  back_off_ = std::clamp<std::chrono::milliseconds>(back_off_ * 2, interval_, kMostBackOff);
  next_attempt_ = SteadyClock::now() + back_off_;
}

void Replica::TellChange(const Status& looked) {
  const ReplicaStatistics now = statistics();
  if (now.in_rotation == told_in_rotation_) return;
  told_in_rotation_ = now.in_rotation;
  const double lag = std::chrono::duration<double>(now.lag).count();
  if (now.in_rotation) return log::Info("a replica is in rotation", {{"replica", name_}, {"lag_seconds", lag}});
  log::Warn("a replica is out of rotation",
            {{"replica", name_},
             {"lag_seconds", lag},
             {"error", looked.ok() ? std::string("it is behind, or a read failed") : looked.error().message()}});
}

void Replica::Close() {
  task_.Stop();
  connection_.reset();
  pool_.Close();
}

}  // namespace holdfast::storage::postgres
