// Waiting in tests: for a condition, with a deadline that is met only when something is broken. Between two looks there
// is a pause, so that a look that asks a server does not keep it, or the kernel's table of connections, busy.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace holdfast {

// False when the condition does not hold in time.
inline bool Eventually(const std::function<bool()>& condition,
                       std::chrono::milliseconds patience = std::chrono::minutes{2}) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  return true;
}

}  // namespace holdfast
