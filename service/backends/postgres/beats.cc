#include "service/backends/postgres/beats.h"

#include <algorithm>

#include "service/backends/postgres/entry_row.h"

namespace holdfast::storage::postgres {

Beats::Beats(const Statements& statements, const PostgresOptions& options, PrimaryChoice& choice,
             const ChangeLog& changes, Watchdog& watchdog, std::chrono::milliseconds interval,
             std::chrono::milliseconds kept)
    : statements_(statements),
      options_(options),
      choice_(choice),
      changes_(changes),
      watchdog_(watchdog),
      kept_(kept),
      task_(interval, [this] { Beat(); }) {}

std::int64_t Beats::instance() const {
  const std::lock_guard lock(mutex_);
  return instance_;
}

void Beats::Beat() {
  const std::int64_t instance = changes_.identity().instance;
  if (instance == 0) return;
  if (!connection_ || !connection_->usable()) {
    connection_.reset();
    auto opened = Connection::Open(options_, Connection::Purpose::kStatements, choice_, watchdog_);
    // The pool and the change log tell of it; here it shows as replicas that are not known to be fresh.
    if (!opened.ok()) return;
    connection_ = std::move(*opened);
  }
  const auto sent_at = std::chrono::steady_clock::now();
  const Answered beaten = connection_->Run(statements_.beat, Deadline::After(options_.connect_timeout), instance);
  if (!beaten.ok() || beaten.rows.empty()) return;
  const Result<std::int64_t> mark = NumberOf(beaten.rows[0][0]);
  if (mark.ok()) Remember(instance, beaten.rows[0][1].c_str(), {*mark, sent_at});
}

void Beats::Remember(std::int64_t instance, const std::string& timeline, const Mark& mark) {
  const std::lock_guard lock(mutex_);
  const bool same =
      instance == instance_ && timeline == timeline_ && (marks_.empty() || mark.mark > marks_.back().mark);
  if (!same) {
    marks_.clear();
    ++history_;
    instance_ = instance;
    timeline_ = timeline;
  }
  while (!marks_.empty() && mark.sent_at - marks_.front().sent_at > kept_) marks_.pop_front();
  marks_.push_back(mark);
}

std::optional<Beats::Sight> Beats::Place(std::int64_t instance, std::int64_t mark) const {
  const std::lock_guard lock(mutex_);
  if (instance != instance_) return std::nullopt;
  auto behind = std::upper_bound(marks_.begin(), marks_.end(), mark,
                                 [](std::int64_t value, const Mark& element) { return value < element.mark; });
  if (behind == marks_.begin()) return std::nullopt;
  const bool newest = behind == marks_.end();
  --behind;
  return Sight{behind->sent_at, newest, behind->mark == mark, history_};
}

}  // namespace holdfast::storage::postgres
