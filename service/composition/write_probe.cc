#include "service/composition/write_probe.h"

#include <fmt/format.h>

namespace holdfast::composition {

WriteProbe::WriteProbe(storage::Backend& backend, std::chrono::milliseconds timeout)
    : backend_(backend), timeout_(timeout), thread_([this] { Loop(); }) {}

Status WriteProbe::Probe() {
  std::unique_lock lock(mutex_);
  const bool late = running_;
  if (!running_) {
    running_ = true;
    result_.reset();
    changed_.notify_all();
  }
  const bool ended = changed_.wait_for(lock, timeout_, [this] { return !running_ || stopping_; });
  if (stopping_) return Error(ErrorCode::kCancelled, "the probe is stopping");
  if (!ended || late) {
    return Error(ErrorCode::kDeadlineExceeded,
                 fmt::format("a write probe had no answer within {} ms", timeout_.count()));
  }
  return *result_;
}

void WriteProbe::Loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return running_ || stopping_; });
    if (stopping_) return;
    lock.unlock();
    Status status = backend_.CheckHealth(Deadline::After(timeout_));
    lock.lock();
    result_ = std::move(status);
    running_ = false;
    changed_.notify_all();
  }
}

void WriteProbe::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

}  // namespace holdfast::composition
