// How much may wait for a backend. Not thread-safe: guarded by whoever queues.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/execution/executor.h"

namespace holdfast::execution {

// What an operation counts as against the limits.
std::size_t SizeOf(const storage::Operation& operation);
bool IsLate(const Deadline& deadline, std::chrono::steady_clock::time_point now);

// How long after its deadline a waiting operation may hear of it while the backend is held up.
inline constexpr std::chrono::milliseconds kLateCheck{100};
Error PassedWhileWaiting();
Error Drained();

class QueueBounds {
 public:
  explicit QueueBounds(const ExecutorOptions& options) : options_(options) {}

  // Null when so much more fits, else why it does not.
  std::optional<Error> Refusal(std::size_t operations, std::size_t bytes) const;
  void Add(std::size_t operations, std::size_t bytes) {
    operations_ += operations;
    bytes_ += bytes;
  }
  void Remove(std::size_t operations, std::size_t bytes) {
    operations_ -= operations;
    bytes_ -= bytes;
  }

 private:
  const ExecutorOptions& options_;
  std::size_t operations_ = 0;  // waiting or being run
  std::size_t bytes_ = 0;
};

}  // namespace holdfast::execution
