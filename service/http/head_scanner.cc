#include "service/http/head_scanner.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "service/http/ascii.h"

namespace holdfast::api {
namespace {

constexpr std::array<bool, 256> MakeControls() {
  std::array<bool, 256> table{};
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = IsControl(static_cast<char>(i));
  return table;
}
constexpr std::array<bool, 256> kControls = MakeControls();

}  // namespace

HeadScanner::State HeadScanner::Scan(std::string_view input) {
  for (; position_ < input.size(); ++position_) {
    const char c = input[position_];
    if (!kControls[static_cast<unsigned char>(c)]) continue;
    if (c != '\r') {
      return Refuse(Malformed(c == '\n' ? "a line of the head ends in a bare LF; lines end in CRLF"
                                        : "the head holds a control character"));
    }
    if (position_ + 1 == input.size()) break;
    if (input[position_ + 1] != '\n') return Refuse(Malformed("the head holds a bare CR; lines end in CRLF"));
    const std::string_view line = input.substr(line_begin_, position_ - line_begin_);
    ++position_;
    if (const State state = EndLine(line, position_ + 1); state != State::kIncomplete) return state;
  }
  return CheckLimits(position_);
}

HeadScanner::State HeadScanner::EndLine(std::string_view line, std::size_t next) {
  line_begin_ = next;
  if (fields_begin_ == 0) {
    if (line.empty()) {
      if (head_begin_ != 0) return Refuse(Malformed("the request line is empty"));
      head_begin_ = next;
      return State::kIncomplete;
    }
    if (const State state = CheckLimits(next - 2); state == State::kRefused) return state;
    fields_begin_ = next;
    return State::kIncomplete;
  }
  if (const State state = CheckLimits(next); state == State::kRefused) return state;
  if (line.empty()) {
    head_end_ = next;
    return State::kComplete;
  }
  if (line.front() == ' ' || line.front() == '\t') {
    return Refuse(Malformed("a header line begins with white space; folded lines are not accepted"));
  }
  if (++fields_ > limits_.max_header_count) {
    return Refuse({431, "too_large",
                   fmt::format("the request has more than {} headers (limits.header_count); send fewer",
                               limits_.max_header_count)});
  }
  return State::kIncomplete;
}

HeadScanner::State HeadScanner::CheckLimits(std::size_t scanned) {
  if (fields_begin_ == 0) {
    if (scanned - head_begin_ > limits_.max_request_line_bytes) {
      return Refuse(
          {414, "too_large",
           fmt::format("the request line is longer than {} bytes (limits.request_line); shorten the path or the query",
                       limits_.max_request_line_bytes)});
    }
  } else if (scanned - fields_begin_ > limits_.max_header_bytes) {
    return Refuse({431, "too_large",
                   fmt::format("the headers are longer than {} bytes (limits.header); send fewer or shorter ones",
                               limits_.max_header_bytes)});
  }
  return State::kIncomplete;
}

HeadScanner::State HeadScanner::Refuse(Refusal refusal) {
  refusal_ = std::move(refusal);
  return State::kRefused;
}

void HeadScanner::Reset() {
  position_ = line_begin_ = head_begin_ = head_end_ = fields_begin_ = fields_ = 0;
  refusal_.reset();
}

}  // namespace holdfast::api
