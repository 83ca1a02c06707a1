// A BodyStream on its way into a connection's output: what it gives, framed.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "service/http/http_message.h"

namespace holdfast::api {

// Not thread-safe. Exceptions of the stream end it as kFailed.
class StreamedBody {
 public:
  // Not chunked: the bytes as they are; the end of the connection is the end of the body.
  StreamedBody(std::shared_ptr<BodyStream> stream, bool chunked) : stream_(std::move(stream)), chunked_(chunked) {}

  bool endless() const { return stream_->endless(); }

  // Once, before the first Pull.
  void Start(std::function<void()> wake);
  // Appends one chunk of roughly up to `most` bytes, or nothing, and at kEnd the last chunk. At kFailed `out` is as it
  // was.
  BodyStream::State Pull(std::string& out, std::size_t most);

 private:
  std::shared_ptr<BodyStream> stream_;
  bool chunked_;
  bool failed_ = false;
};

}  // namespace holdfast::api
