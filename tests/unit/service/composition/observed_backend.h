// A backend that counts what it is asked, and that a test can hold up or make fail.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "service/storage/forwarding_backend.h"

namespace holdfast::composition {

// Thread-safe.
class ObservedBackend final : public storage::ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;

  int gets() const { return gets_; }
  // Of these, those that a replica might have answered.
  int eventual_gets() const { return eventual_gets_; }
  int waiting() const { return waiting_; }
  // That the change feed was asked.
  int questions() const { return questions_; }
  // Every call ends like this until told otherwise; nothing: it works.
  void Fail(std::optional<ErrorCode> code) {
    std::lock_guard lock(mutex_);
    failure_ = code;
  }
  // Gets have read when they stop here, until Release.
  void HoldGets() {
    std::lock_guard lock(mutex_);
    held_ = true;
  }
  void Release() {
    {
      std::lock_guard lock(mutex_);
      held_ = false;
      feed_held_ = false;
      feed_broken_ = false;
    }
    released_.notify_all();
  }

  // The change feed answers nobody, until Release.
  void HoldFeed() {
    std::unique_lock lock(mutex_);
    feed_held_ = true;
    asked_.wait(lock, [this] { return feed_waiting_ > 0; });
  }
  // The change feed says at once that it does not know, until Release.
  void BreakFeed() {
    std::lock_guard lock(mutex_);
    feed_broken_ = true;
  }
  bool AwaitListener() override {
    std::unique_lock lock(mutex_);
    ++feed_waiting_;
    ++questions_;
    asked_.notify_all();
    released_.wait(lock, [this] { return !feed_held_; });
    --feed_waiting_;
    if (feed_broken_) return false;
    lock.unlock();
    return backend().AwaitListener();
  }

  void Execute(std::span<const storage::Operation> operations, std::span<storage::OperationResult> results,
               Deadline deadline) override {
    bool reads = false;
    for (const storage::Operation& operation : operations) {
      if (operation.kind != storage::OperationKind::kGet) continue;
      reads = true;
      ++gets_;
      if (operation.consistency == storage::Consistency::kEventual) ++eventual_gets_;
    }
    if (const auto failure = Failure()) {
      storage::FailAll(results, Error(*failure, "as the test has it"));
      return;
    }
    backend().Execute(operations, results, deadline);
    if (!reads) return;
    std::unique_lock lock(mutex_);
    if (!held_) return;
    ++waiting_;
    const bool on_time = released_.wait_until(lock, deadline.WaitUntil(), [this] { return !held_; });
    --waiting_;
    if (!on_time) storage::FailAll(results, Error(ErrorCode::kDeadlineExceeded, "held until the deadline"));
  }

 private:
  std::optional<ErrorCode> Failure() {
    std::lock_guard lock(mutex_);
    return failure_;
  }

  std::atomic<int> gets_{0};
  std::atomic<int> eventual_gets_{0};
  std::atomic<int> waiting_{0};
  std::atomic<int> questions_{0};
  std::mutex mutex_;
  std::condition_variable released_;
  std::condition_variable asked_;
  std::optional<ErrorCode> failure_;  // guarded by mutex_
  bool held_ = false;                 // guarded by mutex_
  bool feed_held_ = false;            // guarded by mutex_
  bool feed_broken_ = false;          // guarded by mutex_
  int feed_waiting_ = 0;              // guarded by mutex_
};

}  // namespace holdfast::composition
