// Waiting in tests: for a condition, with a deadline that is only met when something is broken.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace holdfast::kube {

inline bool Eventually(const std::function<bool()>& condition,
                       std::chrono::milliseconds limit = std::chrono::seconds{60}) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  return true;
}

}  // namespace holdfast::kube
