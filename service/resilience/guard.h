// What stands in front of one backend, or of one store with all that it is composed of: a circuit breaker for each kind
// of call, the retry budget, the bulkhead. Shared by the wrapper, the executors in front of it, and who reports on it.
//
// Kinds of calls have circuits of their own, because a backend may refuse writes and answer reads (a full disk, a
// primary that is gone beside replicas), and what works is not to be cut off with what does not.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/error.h"
#include "base/time/backoff.h"
#include "service/resilience/bulkhead.h"
#include "service/resilience/circuit_breaker.h"
#include "service/resilience/retry_budget.h"
#include "service/storage/types.h"

namespace holdfast::resilience {

// Of reads (hedged_backend.h).
struct HedgeOptions {
  std::chrono::milliseconds after{};  // without an answer: it is sent a second time
  int percent = 5;                    // of the reads, at most
  int calls = 32;                     // that are hedged at once; each has two threads
};
// Beside that share: so that a quiet backend is hedged as well, and how many may be saved up.
inline constexpr int kHedgesPerSecond = 1;
inline constexpr int kHedgeBurst = 10;

struct Options {
  // Of a call: gets, writes, transactions, pages of a scan. Counts and deletes of a range take what their callers
  // allow. Zero: no limit of its own.
  std::chrono::milliseconds timeout{0};
  bool breaker = false;
  CircuitBreakerOptions circuit;
  // A call that its caller's deadline ended counts as failed only when it had so long: else whoever asks for answers in
  // no time could cut the backend off for everybody.
  std::chrono::milliseconds patience{1'000};
  int attempts = 1;  // of a call; 1: none is tried again
  BackoffPolicy backoff{std::chrono::milliseconds{20}, std::chrono::seconds{1}, 1.0};
  RetryBudgetOptions budget;
  std::optional<BulkheadOptions> bulkhead;
  std::optional<HedgeOptions> hedge;

  // Whether there is anything to do at all.
  bool any() const { return timeout.count() > 0 || breaker || attempts > 1 || bulkhead || hedge; }
};

enum class Lane { kRead, kEventualRead, kWrite };
inline constexpr std::array kLanes = {Lane::kRead, Lane::kEventualRead, Lane::kWrite};
std::string_view LaneName(Lane lane);  // "read", "eventual_read", "write"
// As the executors have it: one write makes a batch a write.
Lane LaneOf(const storage::Operation& operation);
Lane LaneOf(std::span<const storage::Operation> operations);

// What a guard stands in front of: its errors and metrics say which.
enum class Subject { kBackend, kStore };
std::string_view SubjectName(Subject subject);  // "backend", "store"

// Thread-safe.
class Guard {
 public:
  // `name` is that of the backend or store. `clock` outlives it.
  Guard(std::string name, const Options& options, const Clock& clock = SystemClock(),
        Subject subject = Subject::kBackend);

  const std::string& name() const { return name_; }
  Subject subject() const { return subject_; }
  // "backend db" or "store main".
  std::string Called() const;
  // Of this moment; what is returned stays readable as long as the guard.
  const Options& options() const { return *options_.load(std::memory_order_acquire); }
  // Takes others over, for calls from now on. False, and nothing is changed, when they ask for other parts: a breaker,
  // a bulkhead, hedges or retries where there were none or the other way round, waits for a place, hedges at once.
  bool SetOptions(const Options& options);
  // Null without breaker, and without bulkhead.
  CircuitBreaker* circuit(Lane lane) { return circuits_[static_cast<std::size_t>(lane)].get(); }
  const CircuitBreaker* circuit(Lane lane) const { return circuits_[static_cast<std::size_t>(lane)].get(); }
  Bulkhead* bulkhead() { return bulkhead_.get(); }
  const Bulkhead* bulkhead() const { return bulkhead_.get(); }
  RetryBudget& budget() { return budget_; }
  const RetryBudget& budget() const { return budget_; }
  // Of the reads that are sent a second time.
  RetryBudget& hedge_budget() { return hedge_budget_; }
  const RetryBudget& hedge_budget() const { return hedge_budget_; }
  // The second answer came first.
  void NoteHedgeWon() { hedges_won_.fetch_add(1, std::memory_order_relaxed); }
  std::uint64_t hedges_won() const { return hedges_won_.load(std::memory_order_relaxed); }

  // kCircuitOpen when a call of this kind would be refused now; for who has not begun one yet.
  std::optional<Error> Refusal(Lane lane) const;
  Error CircuitOpen(Lane lane) const;

 private:
  const std::string name_;
  const Subject subject_;
  std::mutex mutex_;                                   // of SetOptions
  std::vector<std::unique_ptr<const Options>> given_;  // guarded by mutex_; calls may read the older ones still
  std::atomic<const Options*> options_;                // the last of given_
  std::array<std::unique_ptr<CircuitBreaker>, kLanes.size()> circuits_;
  std::unique_ptr<Bulkhead> bulkhead_;
  RetryBudget budget_;
  RetryBudget hedge_budget_;
  std::atomic<std::uint64_t> hedges_won_{0};
};

}  // namespace holdfast::resilience
