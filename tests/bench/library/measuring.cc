#include "tests/bench/library/measuring.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <barrier>
#include <cstdlib>
#include <numeric>
#include <thread>

namespace holdfast::bench {

double ThreadSeconds() {
  timespec now{};
  Check(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

double NanosecondsPerCall(std::size_t threads, std::size_t calls_of_each,
                          const std::function<void(std::size_t thread)>& calls) {
  std::barrier start(static_cast<std::ptrdiff_t>(threads));
  std::vector<double> seconds(threads);
  std::vector<std::thread> running;
  for (std::size_t thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      start.arrive_and_wait();
      const double begin = ThreadSeconds();
      calls(thread);
      seconds[thread] = ThreadSeconds() - begin;
    });
  }
  for (std::thread& thread : running) thread.join();
  return std::accumulate(seconds.begin(), seconds.end(), 0.0) * 1e9 / static_cast<double>(threads * calls_of_each);
}

void Check(bool right) {
  if (right) return;
  fmt::print(stderr, "a call did not do what it was measured for\n");
  std::exit(1);
}

}  // namespace holdfast::bench
