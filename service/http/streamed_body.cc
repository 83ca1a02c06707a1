#include "service/http/streamed_body.h"

#include <array>
#include <exception>
#include <string_view>
#include <utility>

#include "base/log/log.h"

namespace holdfast::api {
namespace {

// The size stands in front of the data and is known behind it: digits for any size_t that memory can hold are kept
// free. Leading zeros are part of the grammar (RFC 9112, 7.1).
constexpr std::string_view kSizeLine = "0000000000\r\n";
constexpr std::size_t kSizeDigits = kSizeLine.size() - 2;
constexpr std::string_view kLastChunk = "0\r\n\r\n";

void WriteSize(std::size_t size, char* digits) {
  for (std::size_t i = kSizeDigits; i > 0; --i, size >>= 4) digits[i - 1] = "0123456789abcdef"[size & 15];
}

}  // namespace

void StreamedBody::Start(std::function<void()> wake) {
  try {
    stream_->Start(std::move(wake));
  } catch (const std::exception& error) {
    log::Error("a response stream threw", {{"error", error.what()}});
    failed_ = true;
  }
}

BodyStream::State StreamedBody::Pull(std::string& out, std::size_t most) {
  if (failed_) return BodyStream::State::kFailed;
  const std::size_t begin = out.size();
  if (chunked_) out.append(kSizeLine);
  const std::size_t data = out.size();
  auto state = BodyStream::State::kFailed;
  try {
    state = stream_->Pull(&out, most);
  } catch (const std::exception& error) {
    log::Error("a response stream threw", {{"error", error.what()}});
  }
  if (state == BodyStream::State::kFailed || out.size() <= data) {
    out.resize(begin);
  } else if (chunked_) {
    WriteSize(out.size() - data, out.data() + begin);
    out.append("\r\n");
  }
  if (state == BodyStream::State::kEnd && chunked_) out.append(kLastChunk);
  return state;
}

}  // namespace holdfast::api
