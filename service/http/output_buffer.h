// What a connection has still to send: heads and short bodies in one reused buffer, and at most one long body behind
// them, gathered in the same system call and never copied.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "service/http/http_message.h"
#include "service/http/tls_session.h"

namespace holdfast::api {

class OutputBuffer {
 public:
  // Up to here copying a body is cheaper than a second piece of a gathered write.
  static constexpr std::size_t kCopiedBodyBytes = 4096;
  // Answers to pipelined requests are collected up to here before they are sent.
  static constexpr std::size_t kCollectedBytes = 16u << 10;
  // A buffer that had to grow beyond this is given back once it is empty.
  static constexpr std::size_t kKeptBytes = 32u << 10;

  bool empty() const { return text_.empty(); }
  // Nothing more may be appended before this has been sent.
  bool full() const { return !body_.empty() || text_.size() >= kCollectedBytes; }

  // Where heads are written. Not to be used while full().
  std::string& text() { return text_; }
  // Takes a response whose head stands in text(), for its body, which must not be empty.
  void AppendBody(Response&& response);

  enum class Outcome { kAllSent, kBlocked, kFailed };
  // Writes without blocking until all is sent or the socket's buffer is full. `progress` tells whether a byte went out.
  Outcome SendTo(int socket, bool& progress);
  Outcome SendTo(TlsSession& session, bool& progress);

 private:
  // Everything has gone out.
  void Reset();

  std::string text_;
  Response response_;      // owns what body_ shows
  std::string_view body_;  // into response_
  std::size_t sent_ = 0;   // of text_ and body_ together
};

// The bytes a response carries: the entry's value, or its own body.
std::string_view BodyOf(const Response& response);

}  // namespace holdfast::api
