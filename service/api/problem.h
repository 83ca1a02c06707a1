// What a refused or failed request is answered with: one table from error codes to HTTP, one body format (RFC 9457).
// docs/errors.md is this table for readers; a test compares the two.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result/error.h"
#include "service/http/http_message.h"
#include "service/storage/types.h"

namespace holdfast::api {

struct ProblemKind {
  std::string_view code;  // as clients see it
  int status = 500;
  std::string_view title;       // the same for every occurrence
  bool retryable = false;       // the same request may succeed later, and repeating it is safe
  int retry_after_seconds = 0;  // 0 = no Retry-After
};

// Every code of the API, in the order of docs/errors.md.
std::span<const ProblemKind> ProblemKinds();
// The row of that code; the row "internal" when there is none.
const ProblemKind& FindProblemKind(std::string_view code);
const ProblemKind& FindProblemKind(ErrorCode code);

struct Problem {
  const ProblemKind* kind = nullptr;
  std::string detail;                    // what was wrong with this request and what to do; fit for a client
  int status = 0;                        // 0 = the kind's
  storage::Version current_version = 0;  // of a failed precondition; 0 = none to tell
  std::optional<std::uint64_t> limit;    // too_large: the limit that was exceeded, in bytes
  std::string holder;                    // held: who holds it
  int retry_after_seconds = 0;           // 0 = the kind's
  std::string allow;                     // 405: the methods that are allowed
  std::string content_range;             // 416: how long the value is

  static Problem Of(std::string_view code, std::string detail);
  static Problem Of(const Error& error);
  int http_status() const { return status != 0 ? status : kind->status; }
};

// The response, with ETag, Allow, Content-Range and Retry-After where they belong.
Response ProblemResponse(const Problem& problem, std::string_view trace_id);

// `"7"`: a version as an entity tag.
std::string ETagOf(storage::Version version);

}  // namespace holdfast::api
