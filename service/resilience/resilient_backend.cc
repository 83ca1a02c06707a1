#include "service/resilience/resilient_backend.h"

#include <fmt/format.h>

#include <condition_variable>
#include <mutex>

#include "service/resilience/evidence.h"
#include "service/storage/forwarding_backend.h"
#include "service/tracing/context.h"

namespace holdfast::resilience {
namespace {

using storage::Operation;
using storage::OperationResult;
using SteadyClock = std::chrono::steady_clock;

// Ends with the process's patience: who waits for another attempt is woken when the backend closes. Thread-safe.
class Pauses {
 public:
  // False: not waited to the end, and nothing is to be tried any more.
  bool Wait(std::chrono::nanoseconds duration) {
    std::unique_lock lock(mutex_);
    return !ended_.wait_for(lock, duration, [this] { return over_; });
  }
  void End() {
    {
      std::lock_guard lock(mutex_);
      over_ = true;
    }
    ended_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  bool over_ = false;  // guarded by mutex_
};

class ResilientBackend final : public storage::ForwardingBackend {
 public:
  ResilientBackend(std::shared_ptr<storage::Backend> backend, std::shared_ptr<Guard> guard)
      : ForwardingBackend(std::move(backend)), guard_(std::move(guard)) {}

  storage::Capabilities capabilities() const override {
    storage::Capabilities capabilities = backend().capabilities();
    const Options& options = guard_->options();
    const bool waits = options.attempts > 1 || (options.bulkhead && options.bulkhead->max_wait.count() > 0);
    capabilities.inline_reads = capabilities.inline_reads && !waits;
    capabilities.inline_writes = capabilities.inline_writes && !waits;
    return capabilities;
  }

  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) override {
    const Lane lane = LaneOf(operations);
    if (!Attempt(lane, operations, results, deadline)) return;
    guard_->budget().NoteCall();
    std::optional<Backoff> backoff;
    const int attempts = guard_->options().attempts;
    for (int attempt = 1; attempt < attempts; ++attempt) {
      const std::vector<std::size_t> again = Retryable(operations, results);
      if (again.empty() || !Pause(backoff, deadline)) return;
      std::vector<Operation> some;
      some.reserve(again.size());
      for (const std::size_t i : again) some.push_back(operations[i]);
      std::vector<OperationResult> answers(some.size());
      const tracing::Scope scope(tracing::ContextOfAttempt(attempt + 1));
      if (!Attempt(lane, some, answers, deadline)) return;
      for (std::size_t i = 0; i < again.size(); ++i) results[again[i]] = std::move(answers[i]);
    }
  }

  Result<storage::TransactionResult> Transact(const storage::Transaction& transaction, Deadline deadline) override {
    return Call(Lane::kWrite, deadline, true,
                [&](Deadline bounded) { return backend().Transact(transaction, bounded); });
  }
  Result<storage::ScanPage> Scan(const storage::ScanRequest& request, Deadline deadline) override {
    const bool eventual = request.consistency == storage::Consistency::kEventual;
    return Call(eventual ? Lane::kEventualRead : Lane::kRead, deadline, true,
                [&](Deadline bounded) { return backend().Scan(request, bounded); });
  }
  Result<std::uint64_t> Count(const storage::KeyRange& range, Deadline deadline) override {
    return Call(Lane::kRead, deadline, false, [&](Deadline given) { return backend().Count(range, given); });
  }
  Result<std::uint64_t> DeleteRange(const storage::KeyRange& range, Deadline deadline) override {
    return Call(Lane::kWrite, deadline, false, [&](Deadline given) { return backend().DeleteRange(range, given); });
  }

  Status Close() override {
    pauses_.End();
    return backend().Close();
  }

 private:
  Deadline WithTimeout(const Deadline& deadline) const {
    const auto timeout = guard_->options().timeout;
    return timeout.count() > 0 ? deadline.Sooner(Deadline::After(timeout)) : deadline;
  }

  // `bounded`: the call's deadline with the timeout. The clock is asked only where there is one.
  bool EndedByTimeout(const Deadline& deadline, const Deadline& bounded) const {
    return guard_->options().timeout.count() > 0 && bounded.Expired() && !deadline.Expired();
  }
  // The request had more time: whoever reads the error learns whose limit it was.
  template <typename Outcome>
  void NameTimeout(Outcome& outcome) const {
    if (outcome.ok()) return;
    const ErrorCode code = outcome.error().code();
    if (code != ErrorCode::kDeadlineExceeded && code != ErrorCode::kOutcomeUnknown) return;
    outcome = std::move(outcome).WithContext(
        fmt::format("call_timeout of {} ({} ms)", guard_->Called(), guard_->options().timeout.count()));
  }

  // One attempt that passed the circuit and the bulkhead, or the reason why there was none.
  class Passage {
   public:
    Passage(Guard& guard, Lane lane, const Deadline& deadline)
        : guard_(guard), circuit_(guard.circuit(lane)), deadline_(deadline) {
      if (circuit_ != nullptr) {
        permit_ = circuit_->Admit();
        if (!permit_) {
          refusal_ = guard.CircuitOpen(lane);
          return;
        }
      }
      if (guard.bulkhead() == nullptr) return;
      place_ = guard.bulkhead()->Enter(deadline);
      if (!place_) {
        refusal_ = Error(ErrorCode::kUnavailable,
                         fmt::format("{} calls of {} are under way, as many as bulkhead_calls allows; nothing was "
                                     "attempted",
                                     guard.options().bulkhead->max_calls, guard.Called()));
      }
    }
    Passage(const Passage&) = delete;
    Passage& operator=(const Passage&) = delete;
    ~Passage() {
      if (permit_) circuit_->Record(*permit_, answered_, failed_);
    }

    const std::optional<Error>& refusal() const { return refusal_; }
    void Learn(const Status& status) {
      const Evidence evidence = EvidenceOf(status, HadTime());
      if (evidence == Evidence::kAnswered) ++answered_;
      if (evidence == Evidence::kFailed) ++failed_;
    }

   private:
    bool HadTime() const { return !deadline_.Expired() || SteadyClock::now() - began_ >= guard_.options().patience; }

    Guard& guard_;
    CircuitBreaker* const circuit_;
    const Deadline deadline_;  // the caller's: the backend's own timeout is its failure
    const SteadyClock::time_point began_ = SteadyClock::now();
    std::optional<CircuitBreaker::Permit> permit_;
    Bulkhead::Place place_;
    std::optional<Error> refusal_;
    std::uint64_t answered_ = 0;
    std::uint64_t failed_ = 0;
  };

  // False when the guard refused it.
  bool Attempt(Lane lane, std::span<const Operation> operations, std::span<OperationResult> results,
               const Deadline& deadline) {
    Passage passage(*guard_, lane, deadline);
    if (passage.refusal()) {
      storage::FailAll(results, *passage.refusal());
      return false;
    }
    const Deadline bounded = WithTimeout(deadline);
    backend().Execute(operations, results, bounded);
    if (EndedByTimeout(deadline, bounded)) {
      for (OperationResult& result : results) NameTimeout(result.status);
    }
    if (guard_->options().breaker) {
      for (const OperationResult& result : results) passage.Learn(result.status);
    }
    return true;
  }

  // Waits for the next attempt; false when there is to be none. Nearly every call goes without: only the first pause
  // pays for the seed.
  bool Pause(std::optional<Backoff>& backoff, const Deadline& deadline) {
    if (!backoff) backoff.emplace(guard_->options().backoff);
    const auto pause = backoff->Next();
    return deadline.Remaining() > pause && guard_->budget().Take() && pauses_.Wait(pause);
  }

  template <typename Make>
  auto Call(Lane lane, const Deadline& deadline, bool bounded, const Make& make) -> decltype(make(deadline)) {
    std::optional<Backoff> backoff;
    for (int attempt = 1;; ++attempt) {
      std::optional<decltype(make(deadline))> result;
      {
        Passage passage(*guard_, lane, deadline);
        if (passage.refusal()) return *passage.refusal();
        // The first is an attempt of whoever tries again further out, as a store around its backend.
        const tracing::Scope scope(attempt > 1 ? tracing::ContextOfAttempt(attempt) : tracing::CurrentContext());
        const Deadline limit = bounded ? WithTimeout(deadline) : deadline;
        result = make(limit);
        if (EndedByTimeout(deadline, limit)) NameTimeout(*result);
        passage.Learn(result->ok() ? Status() : Status(result->error()));
      }
      if (attempt == 1) guard_->budget().NoteCall();
      const bool again = !result->ok() && MayRetry(result->error()) && attempt < guard_->options().attempts;
      if (!again || !Pause(backoff, deadline)) return std::move(*result);
    }
  }

  const std::shared_ptr<Guard> guard_;
  Pauses pauses_;
};

}  // namespace

std::shared_ptr<storage::Backend> MakeResilientBackend(std::shared_ptr<storage::Backend> backend,
                                                       std::shared_ptr<Guard> guard) {
  return std::make_shared<ResilientBackend>(std::move(backend), std::move(guard));
}

}  // namespace holdfast::resilience
