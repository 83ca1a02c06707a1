// Asks a backend whether it takes writes (Backend::CheckHealth), and has an answer in time also when the backend has
// none: a check that hangs does so on a thread of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "service/storage/backend.h"

namespace holdfast::composition {

// One caller at a time.
class WriteProbe {
 public:
  // `backend` outlives it.
  WriteProbe(storage::Backend& backend, std::chrono::milliseconds timeout);
  ~WriteProbe() { Stop(); }
  WriteProbe(const WriteProbe&) = delete;
  WriteProbe& operator=(const WriteProbe&) = delete;

  // Ok: a check that began now has ended well. Takes no longer than the timeout; while a check of before has not ended
  // no other one begins, and it is too late in any case.
  Status Probe();
  // Waits for the check in progress. Idempotent.
  void Stop();

 private:
  void Loop();

  storage::Backend& backend_;
  const std::chrono::milliseconds timeout_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool running_ = false;          // guarded by mutex_; asked for, or under way
  bool stopping_ = false;         // guarded by mutex_
  std::optional<Status> result_;  // guarded by mutex_; of the last check that ended
  std::thread thread_;            // last: it uses all of these
};

// Enough failures in a row, enough successes in a row: what lies between changes nothing, so that a server that comes
// and goes does not take its clients along.
class Hysteresis {
 public:
  Hysteresis(int failures, int successes) : most_failures_(failures), least_successes_(successes) {}
  void Note(bool ok) {
    successes_ = ok ? successes_ + 1 : 0;
    failures_ = ok ? 0 : failures_ + 1;
  }
  bool lost() const { return failures_ >= most_failures_; }
  bool back() const { return successes_ >= least_successes_; }
  void Reset() { failures_ = successes_ = 0; }

 private:
  const int most_failures_;
  const int least_successes_;
  int failures_ = 0;
  int successes_ = 0;
};

}  // namespace holdfast::composition
