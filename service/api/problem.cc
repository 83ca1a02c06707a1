#include "service/api/problem.h"

#include <fmt/format.h>

#include <array>

#include "service/api/encoding.h"
#include "service/json/json_writer.h"

namespace holdfast::api {
namespace {

constexpr std::array kKinds = {
    ProblemKind{"invalid_argument", 400, "The request is not valid", false, 0},
    ProblemKind{"unauthenticated", 401, "The caller is not known", false, 0},
    ProblemKind{"forbidden", 403, "The caller may not do this", false, 0},
    ProblemKind{"not_found", 404, "There is nothing here", false, 0},
    ProblemKind{"conflict", 409, "The transaction collided with another", true, 0},
    ProblemKind{"held", 409, "Somebody else holds it", true, 1},
    ProblemKind{"failed_precondition", 409, "The stored value does not allow this", false, 0},
    ProblemKind{"already_exists", 412, "The key exists already", false, 0},
    ProblemKind{"version_conflict", 412, "The key has another version", false, 0},
    ProblemKind{"fenced", 412, "A newer fencing token was issued", false, 0},
    ProblemKind{"too_large", 413, "The request is larger than the limit", false, 0},
    ProblemKind{"rate_limited", 429, "Too many requests", true, 1},
    ProblemKind{"internal", 500, "The service failed", false, 0},
    ProblemKind{"corruption", 500, "Stored data is damaged", false, 0},
    ProblemKind{"not_supported", 501, "This is not supported here", false, 0},
    ProblemKind{"unavailable", 503, "The store is not available", true, 1},
    ProblemKind{"circuit_open", 503, "The backend is being given time to recover", true, 5},
    ProblemKind{"deadline_exceeded", 504, "Not done in time", true, 0},
    ProblemKind{"outcome_unknown", 504, "The request may or may not have taken effect", false, 0},
    ProblemKind{"quota_exceeded", 507, "There is no room left", true, 60},
};

}  // namespace

std::span<const ProblemKind> ProblemKinds() {
  return kKinds;
}

const ProblemKind& FindProblemKind(std::string_view code) {
  const ProblemKind* internal = nullptr;
  for (const ProblemKind& kind : kKinds) {
    if (kind.code == code) return kind;
    if (kind.code == "internal") internal = &kind;
  }
  return *internal;
}

const ProblemKind& FindProblemKind(ErrorCode code) {
  switch (code) {
    case ErrorCode::kResourceExhausted:
      return FindProblemKind("quota_exceeded");
    case ErrorCode::kCancelled:
      return FindProblemKind("unavailable");
    default:
      return FindProblemKind(ErrorCodeName(code));
  }
}

Problem Problem::Of(std::string_view code, std::string detail) {
  Problem problem;
  problem.kind = &FindProblemKind(code);
  problem.detail = std::move(detail);
  return problem;
}

Problem Problem::Of(const Error& error) {
  Problem problem;
  problem.kind = &FindProblemKind(error.code());
  problem.detail = error.message();
  return problem;
}

std::string ETagOf(storage::Version version) {
  std::string tag = "\"";
  tag.append(std::to_string(version)).push_back('"');
  return tag;
}

Response ProblemResponse(const Problem& problem, std::string_view trace_id) {
  const ProblemKind& kind = *problem.kind;
  json::JsonWriter json;
  json.BeginObject().Key("type").String(fmt::format("urn:holdfast:problem:{}", kind.code));
  json.Key("title").String(kind.title).Key("status").Integer(problem.http_status());
  // A detail may quote what the client sent, and JSON carries only UTF-8.
  json.Key("detail").String(IsValidUtf8(problem.detail) ? problem.detail : Base64Encode(problem.detail));
  json.Key("code").String(kind.code).Key("retryable").Bool(kind.retryable).Key("trace_id").String(trace_id);
  if (problem.limit) json.Key("limit").Unsigned(*problem.limit);
  if (!problem.holder.empty()) json.Key("holder").String(problem.holder);
  json.EndObject();

  Response response;
  response.status = problem.http_status();
  response.content_type = "application/problem+json";
  response.etag = problem.current_version;
  if (!problem.allow.empty()) response.headers.emplace_back("Allow", problem.allow);
  if (!problem.content_range.empty()) response.headers.emplace_back("Content-Range", problem.content_range);
  const int retry_after = problem.retry_after_seconds > 0 ? problem.retry_after_seconds : kind.retry_after_seconds;
  if (retry_after > 0) response.headers.emplace_back("Retry-After", std::to_string(retry_after));
  if (response.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  response.body = json.Take();
  return response;
}

}  // namespace holdfast::api
