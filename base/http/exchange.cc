#include "base/http/exchange.h"

#include <utility>

namespace holdfast::http {
namespace {

// What may wait for the sender before the library is held back.
constexpr std::size_t kEnoughWaiting = 256u << 10;

}  // namespace

void Exchange::Sent() {
  std::lock_guard lock(mutex_);
  sent_ = true;
  changed_.notify_all();
}

void Exchange::Answered(int status, Headers headers) {
  std::lock_guard lock(mutex_);
  status_ = status;
  headers_ = std::move(headers);
  answered_ = true;
  changed_.notify_all();
}

bool Exchange::Take(std::string_view bytes, std::function<void(bool)> resume) {
  {
    std::lock_guard lock(mutex_);
    if (!abandoned_) {
      bytes_.append(bytes);
      changed_.notify_all();
      if (bytes_.size() < kEnoughWaiting) return true;
      resume_ = std::move(resume);
      return false;
    }
  }
  resume(false);
  return false;
}

void Exchange::Finish(std::optional<Failure> failure) {
  std::lock_guard lock(mutex_);
  if (finished_) return;
  finished_ = true;
  failure_ = std::move(failure);
  changed_.notify_all();
}

std::optional<Exchange::Event> Exchange::NextLocked() {
  if (sent_ && !std::exchange(sent_seen_, true)) return Event::kSent;
  if (answered_ && !std::exchange(answered_seen_, true)) return Event::kAnswered;
  // The library tells of the head on one thread and hands over the body on another: the first bytes may be here first.
  if (answered_ && !bytes_.empty()) return Event::kBytes;
  if (finished_) return failure_ ? Event::kFailed : Event::kEnd;
  return std::nullopt;
}

Exchange::Event Exchange::Next(std::chrono::steady_clock::time_point until, std::stop_token stop) {
  std::unique_lock lock(mutex_);
  std::optional<Event> event;
  changed_.wait_until(lock, stop, until, [&] { return stop.stop_requested() || (event = NextLocked()).has_value(); });
  if (stop.stop_requested()) return Event::kStopped;
  return event.value_or(Event::kTimedOut);
}

void Exchange::Abandon() {
  std::function<void(bool)> resume;
  {
    std::lock_guard lock(mutex_);
    abandoned_ = true;
    bytes_.clear();
    resume = std::exchange(resume_, nullptr);
  }
  if (resume) resume(false);
}

bool Exchange::WaitFinished(std::chrono::steady_clock::time_point until) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, until, [&] { return finished_; });
}

bool Exchange::sent() const {
  std::lock_guard lock(mutex_);
  return sent_;
}

std::string Exchange::TakeBytes() {
  std::string bytes;
  std::function<void(bool)> resume;
  {
    std::lock_guard lock(mutex_);
    bytes = std::exchange(bytes_, {});
    resume = std::exchange(resume_, nullptr);
  }
  if (resume) resume(true);
  return bytes;
}

Exchange::Failure Exchange::failure() const {
  std::lock_guard lock(mutex_);
  return failure_.value_or(Failure{});
}

}  // namespace holdfast::http
