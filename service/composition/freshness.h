// How old a copy can be where others write to the system of record, too. What they change is told by its change feed, a
// little later; so nothing older than the last moment up to which everything is known to have been told is shown.
//
// That moment is found by asking: Backend::AwaitListener, which says what its answer proves. A question that is
// answered late proves only what was true when it was asked, and one that is answered with no proves nothing. So while
// the feed is down, or does not know how far it is, the moment stands still, and `max_staleness` later copies are no
// longer shown.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>

#include "base/time/clock.h"
#include "service/storage/backend.h"
#include "service/storage/periodic_task.h"

namespace holdfast::composition {

// Thread-safe.
class Freshness {
 public:
  // Asks `backend` from now on, as often as `max_staleness` needs. Both outlive it.
  Freshness(storage::Backend& backend, std::chrono::microseconds max_staleness, const Clock& clock);
  ~Freshness() { Stop(); }

  // Whether every change that was acknowledged max_staleness ago has been told.
  bool Holds() const;
  // The age of what is certain: copies are at most so old.
  std::chrono::microseconds Staleness() const;
  // What it does by itself again and again.
  void Ask();
  // Waits for the question in progress. Idempotent.
  void Stop() { asking_.Stop(); }

 private:
  storage::Backend& backend_;
  const std::chrono::microseconds max_staleness_;
  const Clock& clock_;
  std::atomic<MonotonicTime::rep> certain_;  // since the clock's epoch
  storage::PeriodicTask asking_;             // last: its thread ends first
};

}  // namespace holdfast::composition
