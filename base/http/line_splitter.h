// Lines out of pieces of text that end anywhere. For one thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace holdfast::http {

class LineSplitter {
 public:
  enum class State { kGoingOn, kEndedByReader, kLineTooLong };

  // `on_line` gets each line without its newline, valid during the call; false ends it.
  LineSplitter(std::size_t max_line_bytes, const std::function<bool(std::string_view line)>& on_line)
      : max_line_bytes_(max_line_bytes), on_line_(on_line) {}

  // Nothing is delivered any more once the state is another than kGoingOn.
  State Feed(std::string_view bytes);
  // The text is over: what it ended with is a line too, if it is not empty.
  void Finish();

  State state() const { return state_; }

 private:
  const std::size_t max_line_bytes_;
  const std::function<bool(std::string_view)>& on_line_;
  std::string unfinished_;
  State state_ = State::kGoingOn;
};

}  // namespace holdfast::http
