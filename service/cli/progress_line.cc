#include "service/cli/progress_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace holdfast::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds kOnATerminal{1};
constexpr std::chrono::seconds kElsewhere{10};
constexpr char kOver[] = "\r\x1b[K";

}  // namespace

ProgressLine::ProgressLine() : terminal_(isatty(STDERR_FILENO) == 1), told_at_(SteadyClock::now()) {}

ProgressLine::~ProgressLine() {
  if (shown_) fmt::print(stderr, "{}", kOver);
}

void ProgressLine::Tell(std::string_view for_people, std::string_view json) {
  const auto now = SteadyClock::now();
  if (now - told_at_ < (terminal_ ? kOnATerminal : kElsewhere)) return;
  told_at_ = now;
  if (!terminal_) {
    fmt::print(stderr, "{}\n", json);
    return;
  }
  fmt::print(stderr, "{}{}", kOver, for_people);
  std::fflush(stderr);
  shown_ = true;
}

}  // namespace holdfast::cli
