// When a failover store switches, and what it does then.
#include <fmt/format.h>

#include "service/composition/failover_backend.h"

namespace holdfast::composition {

void FailoverBackend::Watch() {
  while (!stopping()) {
    const auto next = std::chrono::steady_clock::now() + options_.probe_interval;
    const Status probed = probe_.Probe();
    if (stopping()) return;
    hysteresis_.Note(probed.ok());
    Decide(probed);
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, next, [this] { return stopping(); });
  }
}

void FailoverBackend::Decide(const Status& probed) {
  if (!journal_known_) OpenJournal();
  switch (serving_.load()) {
    case Serving::kRecovering:
      if (probed.ok() && journal_known_) Return();
      return;
    case Serving::kPrimary:
      if (probed.ok() && journal_known_) Explain("");
      if (hysteresis_.lost()) SwitchOver(probed.error());
      return;
    case Serving::kSecondary:
      if (hysteresis_.back()) Return();
      return;
    case Serving::kReplaying:
      return;
  }
}

void FailoverBackend::OpenJournal() {
  const Status opened = journal_.Open(Deadline::After(options_.call_timeout));
  journal_known_ = opened.ok();
  if (!opened.ok()) {
    // Replaying them later is as safe as now; until then nobody is to wait for a secondary that is away.
    return Serve(Serving::kPrimary, fmt::format("backend {} cannot be asked whether it has writes for the primary: {}",
                                                options_.secondary, opened.error().message()));
  }
  if (journal_.entries() > 0) return Serve(Serving::kRecovering, "writes of before the start are to be replayed");
  copier_.Resume();
  Serve(Serving::kPrimary, "");
}

void FailoverBackend::SwitchOver(const Error& why) {
  if (!journal_known_) return;  // which has been said
  const auto lag = copier_.Lag();
  if (!lag) return Explain("the secondary has no complete copy yet, so there is no switch");
  if (*lag > options_.max_lag + options_.failures * (options_.probe_interval + options_.probe_timeout)) {
    return Explain("the copy in the secondary is older than failover_max_lag allows, so there is no switch");
  }
  static_cast<void>(copier_.Drain(Deadline::After(options_.drain_time)));
  if (options_.mode == FailoverMode::kReadWrite) copier_.Pause();
  switches_.fetch_add(1, std::memory_order_relaxed);
  hysteresis_.Reset();
  Serve(Serving::kSecondary, why.message());
}

void FailoverBackend::Return() {
  const Serving before = serving_;
  const std::string reason = status().reason;
  copier_.Pause();
  if (before == Serving::kSecondary) Serve(Serving::kReplaying, reason);
  // Writes that began before have ended; those that come now are refused.
  { const std::unique_lock begun(writes_); }
  const Status replayed = journal_.Replay(backend(), [this] { return stopping(); });
  hysteresis_.Reset();
  if (!replayed.ok()) {
    return Serve(before,
                 fmt::format("replaying to backend {} failed: {}", options_.primary, replayed.error().message()));
  }
  copier_.Resume();
  returns_.fetch_add(before == Serving::kSecondary ? 1 : 0, std::memory_order_relaxed);
  Serve(Serving::kPrimary, "");
}

void FailoverBackend::Serve(Serving serving, const std::string& reason) {
  {
    std::lock_guard lock(mutex_);
    const bool same = serving_ == serving && reason_ == reason;
    if (serving_ != serving) since_ = clock_.Now();
    serving_ = serving;
    reason_ = reason;
    if (same) return;
    changed_.notify_all();
  }
  if (options_.on_change) options_.on_change(status());
}

void FailoverBackend::Explain(const std::string& reason) {
  Serve(serving_, reason);
}

}  // namespace holdfast::composition
