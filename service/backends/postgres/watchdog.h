// Cuts connections whose answer does not come in time. libpq waits without end for a server that is stopped or cut off
// while its connections stand; shutting the socket down makes it return. Remembers when a write was cut last: the
// server may be at work on it yet.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/time/deadline.h"

namespace holdfast::storage::postgres {

// Thread-safe. Outlives its watches.
class Watchdog {
 public:
  Watchdog() : thread_([this] { Loop(); }) {}
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // Guards one call from its making to its end. Has a descriptor of its own: libpq closes the socket of a connection
  // that it finds lost, and its number may be another connection's before the call returns.
  class Watch {
   public:
    Watch(Watchdog& watchdog, int socket, Deadline deadline);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    // Whether the connection was cut.
    bool fired() const { return fired_.load(std::memory_order_acquire); }

   private:
    friend class Watchdog;
    Watchdog& watchdog_;
    const int socket_;
    const std::chrono::steady_clock::time_point when_;
    std::atomic<bool> fired_{false};
  };

  void WriteWasCut(std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now()) { last_cut_ = now; }
  bool WriteWasCutWithin(std::chrono::seconds time,
                         std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now()) const {
    const auto last = last_cut_.load();
    return last != kNever && now - last < time;
  }

 private:
  static constexpr std::chrono::steady_clock::time_point kNever{};

  void Loop();

  std::atomic<std::chrono::steady_clock::time_point> last_cut_{kNever};  // of a write
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Watch*> watches_;                        // guarded by mutex_; some ten, one for each connection in use
  std::chrono::steady_clock::time_point next_look_{};  // guarded by mutex_
  bool stopping_ = false;                              // guarded by mutex_
  std::thread thread_;
};

}  // namespace holdfast::storage::postgres
