#include "service/http/chunk_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "service/http/ascii.h"

namespace holdfast::api {
namespace {

// 2^64 - 1 has sixteen; more can only overflow, or hide a size behind zeros.
constexpr std::size_t kMaxSizeDigits = 16;

int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  const char lower = LowerAscii(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

ChunkDecoder::State ChunkDecoder::Decode(std::string_view& input, std::string& body) {
  while (!input.empty() && step_ != Step::kDone && step_ != Step::kRefused) {
    if (step_ == Step::kData) {
      const std::size_t taken = static_cast<std::size_t>(std::min<std::uint64_t>(size_, input.size()));
      body.append(input.substr(0, taken));
      input.remove_prefix(taken);
      size_ -= taken;
      if (size_ == 0) step_ = Step::kDataCr;
      continue;
    }
    const char c = input.front();
    input.remove_prefix(1);
    switch (step_) {
      case Step::kSize:
      case Step::kExtension:
        TakeSize(c, body.size());
        break;
      case Step::kSizeLf:
        Expect(c, '\n', size_ == 0 ? Step::kTrailerBegin : Step::kData);
        break;
      case Step::kDataCr:
        Expect(c, '\r', Step::kDataLf);
        break;
      case Step::kDataLf:
        Expect(c, '\n', Step::kSize);
        size_digits_ = line_bytes_ = 0;
        break;
      case Step::kTrailerBegin:
      case Step::kTrailerName:
      case Step::kTrailerValue:
      case Step::kTrailerLf:
      case Step::kEndLf:
        TakeTrailer(c);
        break;
      case Step::kData:
      case Step::kDone:
      case Step::kRefused:
        break;
    }
  }
  if (step_ == Step::kRefused) return State::kRefused;
  return step_ == Step::kDone ? State::kDone : State::kMore;
}

void ChunkDecoder::TakeSize(char c, std::size_t body_bytes) {
  if (++line_bytes_ > limits_->max_chunk_line_bytes) {
    return Refuse(
        Malformed(fmt::format("a chunk's line is longer than {} bytes (limits.chunk_line); send no chunk extensions",
                              limits_->max_chunk_line_bytes)));
  }
  if (step_ == Step::kSize) {
    if (const int digit = HexValue(c); digit >= 0) {
      if (++size_digits_ > kMaxSizeDigits) return Refuse(Malformed("a chunk size has more than 16 digits"));
      size_ = size_ * 16 + static_cast<std::uint64_t>(digit);
      return;
    }
    if (size_digits_ == 0 || (c != '\r' && c != ';')) {
      return Refuse(Malformed("a chunk size is not a hexadecimal number"));
    }
    if (size_ > max_body_bytes_ - body_bytes) {
      return Refuse({413, "too_large", fmt::format("the body is longer than the limit of {} bytes", max_body_bytes_)});
    }
  }
  if (c == '\r') {
    step_ = Step::kSizeLf;
  } else if (IsControl(c)) {
    Refuse(Malformed("a chunk extension holds a control character"));
  } else {
    step_ = Step::kExtension;
  }
}

void ChunkDecoder::TakeTrailer(char c) {
  if (++trailer_bytes_ > limits_->max_trailer_bytes) {
    return Refuse({431, "too_large",
                   fmt::format("the trailer is longer than {} bytes (limits.trailer); send a shorter one or none",
                               limits_->max_trailer_bytes)});
  }
  switch (step_) {
    case Step::kTrailerBegin:
      if (c == '\r') {
        step_ = Step::kEndLf;
        return;
      }
      step_ = Step::kTrailerName;
      if (IsTokenCharacter(c)) return;
      break;
    case Step::kTrailerName:
      if (c == ':') step_ = Step::kTrailerValue;
      if (c == ':' || IsTokenCharacter(c)) return;
      break;
    case Step::kTrailerValue:
      if (c == '\r') step_ = Step::kTrailerLf;
      if (c == '\r' || !IsControl(c)) return;
      break;
    case Step::kTrailerLf:
      return Expect(c, '\n', Step::kTrailerBegin);
    default:
      return Expect(c, '\n', Step::kDone);
  }
  Refuse(Malformed("a trailer line is malformed"));
}

void ChunkDecoder::Expect(char c, char wanted, Step next) {
  if (c == wanted) {
    step_ = next;
  } else {
    Refuse(Malformed("a chunk does not end in CRLF"));
  }
}

void ChunkDecoder::Refuse(Refusal refusal) {
  refusal_ = std::move(refusal);
  step_ = Step::kRefused;
}

}  // namespace holdfast::api
