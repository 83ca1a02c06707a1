#include "base/http/line_splitter.h"

#include <utility>

namespace holdfast::http {

LineSplitter::State LineSplitter::Feed(std::string_view bytes) {
  while (state_ == State::kGoingOn && !bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, newline);
    if (piece.size() > max_line_bytes_ - unfinished_.size()) {
      state_ = State::kLineTooLong;
    } else if (newline == std::string_view::npos) {
      unfinished_.append(piece);
      break;
    } else {
      bytes.remove_prefix(newline + 1);
      bool wanted = true;
      if (unfinished_.empty()) {
        wanted = on_line_(piece);
      } else {
        unfinished_.append(piece);
        wanted = on_line_(std::exchange(unfinished_, {}));
      }
      if (!wanted) state_ = State::kEndedByReader;
    }
  }
  return state_;
}

void LineSplitter::Finish() {
  if (state_ == State::kGoingOn && !unfinished_.empty()) on_line_(std::exchange(unfinished_, {}));
}

}  // namespace holdfast::http
