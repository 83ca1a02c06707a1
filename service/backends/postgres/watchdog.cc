#include "service/backends/postgres/watchdog.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace holdfast::storage::postgres {

Watchdog::Watch::Watch(Watchdog& watchdog, int socket, Deadline deadline)
    : watchdog_(watchdog), socket_(::fcntl(socket, F_DUPFD_CLOEXEC, 0)), when_(deadline.WaitUntil()) {
  bool sooner = false;
  {
    std::lock_guard lock(watchdog_.mutex_);
    watchdog_.watches_.push_back(this);
    sooner = when_ < watchdog_.next_look_;
  }
  // Seldom: most calls begin and end long before the next look.
  if (sooner) watchdog_.wake_.notify_one();
}

Watchdog::Watch::~Watch() {
  {
    std::lock_guard lock(watchdog_.mutex_);
    auto& watches = watchdog_.watches_;
    *std::find(watches.begin(), watches.end(), this) = watches.back();
    watches.pop_back();
  }
  if (socket_ >= 0) ::close(socket_);
}

Watchdog::~Watchdog() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Watchdog::Loop() {
  constexpr std::chrono::hours kNothingToWatch{1};
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto now = std::chrono::steady_clock::now();
    next_look_ = now + kNothingToWatch;
    for (Watch* watch : watches_) {
      if (watch->fired()) continue;
      if (watch->when_ > now) {
        next_look_ = std::min(next_look_, watch->when_);
        continue;
      }
      watch->fired_.store(true, std::memory_order_release);
      ::shutdown(watch->socket_, SHUT_RDWR);
    }
    wake_.wait_until(lock, next_look_);
  }
}

}  // namespace holdfast::storage::postgres
