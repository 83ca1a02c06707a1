#include "operator/cli/stop_signal.h"

#include <unistd.h>

#include <csignal>
#include <ctime>

#include "base/log/log.h"

namespace holdfast::cli {
namespace {

// How long the destructor may have to wait for the waiter.
constexpr timespec kPoll{0, 100'000'000};

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

StopSignal::StopSignal() {
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  waiter_ = std::jthread([this, signals](const std::stop_token& ending) {
    while (!ending.stop_requested()) {
      const int signal = sigtimedwait(&signals, nullptr, &kPoll);
      if (signal <= 0) continue;
      if (source_.stop_requested()) _exit(128 + signal);
      log::Info("stopping; once more ends it at once", {{"signal", signal}});
      source_.request_stop();
    }
  });
}

StopSignal::~StopSignal() = default;

}  // namespace holdfast::cli
