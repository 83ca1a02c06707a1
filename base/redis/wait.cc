#include "base/redis/wait.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace holdfast::redis {

Status Await(int descriptor, short events, Deadline deadline, const Interrupt* interrupt) {
  while (true) {
    std::array<pollfd, 2> looks{pollfd{descriptor, events, 0},
                                pollfd{interrupt == nullptr ? -1 : interrupt->descriptor(), POLLIN, 0}};
    // Rounded up: a deadline that is less than a millisecond away would make it spin.
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.Remaining());
    const auto patience = std::min<std::chrono::milliseconds::rep>(left.count(), 3'600'000);
    const int ready = ::poll(looks.data(), looks.size(), static_cast<int>(patience));
    if (ready < 0 && errno != EINTR) {
      return Error(ErrorCode::kInternal, fmt::format("poll failed: {}", std::strerror(errno)));
    }
    if (looks[1].revents != 0) return Error(ErrorCode::kCancelled, "the wait for Redis was interrupted");
    if (ready > 0) return {};
    if (deadline.Expired()) return Error(ErrorCode::kDeadlineExceeded, "the deadline passed");
  }
}

}  // namespace holdfast::redis
