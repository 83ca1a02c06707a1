// How far behind a replica is, measured by what it shows: this instance writes its row of `instances` on the master
// again and again, and a replica that shows a row has everything that was written before that row was sent. Only this
// process's clock measures, so it is right with clocks that disagree, on a master at rest, and of a replica that
// follows a master that was replaced: it never shows a row again. (Heartbeats in a replicated row: pt-heartbeat of
// Percona Toolkit.)
#pragma once

#include <chrono>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::storage::redis_backend {

// Thread-safe.
class Beats {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Rows that were sent longer ago than `kept` are forgotten.
  explicit Beats(std::chrono::milliseconds kept) : kept_(kept) {}

  // The row that was written, and when it was sent.
  void Sent(std::string row, Time at);
  struct Sight {
    Time sent_at;         // what was written before is there
    bool newest = false;  // no later row has been written
  };
  // Of a replica that shows this row; nullopt when it is none that is remembered.
  std::optional<Sight> Place(std::string_view row) const;

 private:
  struct Beat {
    std::string row;
    Time at;
  };
  const std::chrono::milliseconds kept_;
  mutable std::mutex mutex_;
  std::deque<Beat> beats_;  // guarded by mutex_; the newest last
};

}  // namespace holdfast::storage::redis_backend
