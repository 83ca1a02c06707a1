// The gate that every call of a backend passes, so that closing it can wait for the calls in progress. Thread-safe.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <utility>

#include "base/result/result.h"
#include "base/time/deadline.h"

namespace holdfast::storage {

class CallGate {
 public:
  // `kind`: Backend::kind(), for what a refused call is told.
  explicit CallGate(std::string kind) : kind_(std::move(kind)) {}

  // Stands for the length of a call. Refused: kUnavailable once the gate is shut, kDeadlineExceeded when the deadline
  // has passed already.
  class Call {
   public:
    Call(const CallGate& gate, Deadline deadline) {
      // Looked at first: the lock prefers readers, and a stream of new calls would keep Await waiting.
      if (gate.shut()) {
        status_ = gate.Closed();
        return;
      }
      lock_ = std::shared_lock(gate.mutex_);
      if (gate.shut()) {
        status_ = gate.Closed();
      } else if (deadline.Expired()) {
        status_ = Error(ErrorCode::kDeadlineExceeded, "the deadline passed before anything was attempted");
      }
    }
    const Status& status() const { return status_; }

   private:
    std::shared_lock<std::shared_mutex> lock_;
    Status status_;
  };

  bool shut() const { return shut_.load(std::memory_order_acquire); }
  // New calls are refused from now on. True for the first who says so.
  bool Shut() { return !shut_.exchange(true, std::memory_order_acq_rel); }
  // Waits for the calls in progress; none is let in while the result stands.
  [[nodiscard]] std::unique_lock<std::shared_mutex> Await() { return std::unique_lock(mutex_); }

 private:
  // Made when needed only: its words are an allocation.
  Error Closed() const { return {ErrorCode::kUnavailable, fmt::format("the {} backend is closed", kind_)}; }

  const std::string kind_;
  std::atomic<bool> shut_{false};
  mutable std::shared_mutex mutex_;
};

}  // namespace holdfast::storage
