#include "service/http/incoming_body.h"

#include <algorithm>
#include <utility>

namespace holdfast::api {

Result<std::size_t> IncomingBody::Read(char* into, std::size_t size) {
  std::size_t read = 0;
  bool wake = false;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return taken_ < bytes_.size() || ended_ || failed_; });
    if (failed_) return *failed_;
    read = std::min(size, bytes_.size() - taken_);
    bytes_.copy(into, read, taken_);
    taken_ += read;
    if (taken_ == bytes_.size()) {
      bytes_.clear();
      taken_ = 0;
    }
    wake = stopped_ && bytes_.size() - taken_ < kMostBytes;
    if (wake) stopped_ = false;
  }
  if (wake) wake_();
  return read;
}

void IncomingBody::Put(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  bytes_.erase(0, taken_);
  taken_ = 0;
  bytes_.append(bytes);
  changed_.notify_one();
}

bool IncomingBody::IsFull() {
  const std::lock_guard lock(mutex_);
  stopped_ = bytes_.size() - taken_ >= kMostBytes;
  return stopped_;
}

void IncomingBody::End() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_one();
}

void IncomingBody::Fail(Error error) {
  const std::lock_guard lock(mutex_);
  if (!ended_) failed_ = std::move(error);
  changed_.notify_one();
}

}  // namespace holdfast::api
