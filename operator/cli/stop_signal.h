// Turns SIGINT and SIGTERM into a stop token. Made first thing in main, before any thread, so that every thread leaves
// these signals to this one. A second signal ends the process at once.
#pragma once

#include <stop_token>
#include <thread>

namespace holdfast::cli {

class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  std::jthread waiter_;
};

}  // namespace holdfast::cli
