// The headers this API knows, read in one pass. What it does not support is refused, never ignored: a client that asks
// for a guarantee must not be served without it.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "service/api/problem.h"
#include "service/http/http_message.h"

namespace holdfast::api {

// Which headers mean something to an endpoint; the others of this list are refused there with 400.
enum HeaderSet : unsigned {
  kNoHeaders = 0,
  kIfMatch = 1u << 0,
  kIfNoneMatch = 1u << 1,
  kTtl = 1u << 2,
  kMetadata = 1u << 3,
  kTags = 1u << 4,
  kContentType = 1u << 5,
  kRange = 1u << 6,  // Range and If-Range; elsewhere they are ignored, as HTTP demands
  kFence = 1u << 7,
  kTransaction = 1u << 8,
  kIdempotencyKey = 1u << 9,
};

// Views into the request.
struct RequestHeaders {
  std::optional<std::string_view> if_match;
  std::optional<std::string_view> if_none_match;
  std::optional<std::string_view> range;
  std::optional<std::string_view> if_range;
  std::optional<std::string_view> ttl;
  std::optional<std::string_view> metadata;
  std::optional<std::string_view> tags;
  std::optional<std::string_view> content_type;
  std::optional<std::string_view> timeout;
  std::optional<std::string_view> authorization;
  std::optional<std::string_view> name_space;
  std::optional<std::string_view> fence;
  std::optional<std::string_view> transaction;
  std::optional<std::string_view> idempotency_key;
  std::string_view traceparent;  // empty = none, or malformed
};

// Fills `headers` as far as it can even when it returns a problem: the first one found, naming the header.
std::optional<Problem> ReadHeaders(const Request& request, unsigned allowed, RequestHeaders* headers);

}  // namespace holdfast::api
