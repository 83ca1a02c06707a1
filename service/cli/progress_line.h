// How far something is that is waited for, on standard error: to people on a terminal as one line that is written over
// each second, else as a line of JSON each ten seconds. Not thread-safe.
#pragma once

#include <chrono>
#include <string_view>

namespace holdfast::cli {

class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // One of the two, when it is time for it.
  void Tell(std::string_view for_people, std::string_view json);

 private:
  const bool terminal_;
  std::chrono::steady_clock::time_point told_at_;
  bool shown_ = false;
};

}  // namespace holdfast::cli
