// From a scanned head (head_scanner.h) to a Request, and to what the connection must know to frame it. The grammar is
// Beast's; which of the messages Beast takes are ambiguous, and therefore refused, is decided here: a request whose end
// two servers could see in different places is the raw material of request smuggling (RFC 9112, 11.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "service/http/http_message.h"
#include "service/http/refusal.h"

namespace holdfast::api {

struct Framing {
  std::uint64_t content_length = 0;
  bool chunked = false;
  bool expects_continue = false;
  bool http_1_0 = false;
  bool keep_alive = true;

  bool has_body() const { return chunked || content_length > 0; }
};

// Fills every field of `request` but its body, with views into `head`. On a refusal `request` is half filled, its
// method as far as it was read.
std::optional<Refusal> ParseHead(std::string_view head, Request& request, Framing& framing);

}  // namespace holdfast::api
