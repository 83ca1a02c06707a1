#include "service/s3/caller.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/http/retry_after.h"
#include "service/s3/credentials.h"

namespace holdfast::s3 {
namespace {

constexpr int kFirstSuccess = 200;
constexpr int kFirstRedirect = 300;
// A page of a listing: 1000 keys of 1024 bytes, encoded.
constexpr std::size_t kListingBytes = std::size_t{8} << 20;
constexpr std::size_t kBesidesThePart = std::size_t{64} << 10;

std::string HostOf(const BucketOptions& options) {
  const std::string host = options.endpoint.substr(options.endpoint.find("://") + 3);
  return options.path_style ? host : options.bucket + '.' + host;
}

http::ClientOptions ClientOptionsOf(const BucketOptions& options) {
  http::ClientOptions client;
  client.base_url = options.endpoint.substr(0, options.endpoint.find("://") + 3) + HostOf(options);
  client.connect_timeout = options.connect_timeout;
  client.ca_pem = options.ca_pem;
  client.max_response_bytes = std::max(options.part_bytes + kBesidesThePart, kListingBytes);
  return client;
}

bool Changes(const Call& call) {
  return call.method != "GET";
}

// The HTTP client's own: nothing, or not all, came back.
bool MayPass(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kOutcomeUnknown:
    case ErrorCode::kDeadlineExceeded:
      return true;
    default:
      return false;
  }
}

}  // namespace

// Exactly one of the two.
struct Caller::Attempt {
  std::optional<Answer> answer;
  std::optional<Error> error;
  bool may_pass = false;
  bool may_have_taken_effect = false;
  std::chrono::nanoseconds asked_pause{};
};

Caller::Caller(BucketOptions options)
    : options_(std::move(options)),
      host_(HostOf(options_)),
      root_path_(options_.path_style ? '/' + options_.bucket + '/' : "/"),
      client_(ClientOptionsOf(options_)) {}

Caller::Attempt Caller::Try(const Call& call, Deadline deadline) {
  Attempt attempt;
  // For every attempt anew: a signature is good for some minutes.
  const Result<SigningKey> key = ReadSigningKey(options_);
  if (!key.ok()) {
    attempt.error = key.error();
    return attempt;
  }
  std::string path = root_path_ + call.key;
  if (call.key.empty() && path.size() > 1) path.pop_back();
  UnsignedRequest unsigned_request{call.method, path, call.query, call.headers, call.body};
  unsigned_request.headers["Host"] = host_;
  http::ClientRequest request;
  request.method = call.method;
  request.target = call.query.empty() ? path : path + '?' + EncodeQuery(call.query);
  request.headers = Sign(unsigned_request, *key, options_.region, SystemClock().Now());
  // The library writes the same one itself, and checks the certificate against one that it is given, port and all.
  request.headers.erase("Host");
  request.body = call.body;
  const Result<http::ClientResponse> response =
      client_.Send(request, Deadline::After(options_.call_timeout).Sooner(deadline));
  if (!response.ok()) {
    attempt.error = response.error();
    attempt.may_pass = MayPass(response.error());
    attempt.may_have_taken_effect = response.error().code() == ErrorCode::kOutcomeUnknown;
    return attempt;
  }
  attempt.answer.emplace();
  attempt.answer->headers = response->headers;
  attempt.answer->body = response->body;
  const bool success = response->status >= kFirstSuccess && response->status < kFirstRedirect;
  if (success && !(call.late_error && HasErrorBody(*response))) return attempt;
  const Refusal refusal = ReadRefusal(*response);
  attempt.may_pass = s3::MayPass(refusal);
  attempt.may_have_taken_effect = Changes(call) && MayHaveTakenEffect(refusal);
  const std::chrono::seconds asked = http::RetryAfter(response->headers).value_or(std::chrono::seconds{0});
  attempt.asked_pause = std::min(asked, options_.longest_pause);
  attempt.answer->refusal = refusal;
  return attempt;
}

Result<Answer> Caller::Send(const Call& call, Deadline deadline) {
  if (deadline.Expired()) {
    return Error(ErrorCode::kDeadlineExceeded,
                 fmt::format("the deadline passed before {} was asked", options_.endpoint));
  }
  Backoff backoff(options_.backoff);
  bool done_before = false;
  for (int count = 1;; ++count) {
    Attempt attempt = Try(call, deadline);
    if (!attempt.may_pass && attempt.answer) {
      attempt.answer->done_before = done_before;
      return std::move(*attempt.answer);
    }
    done_before = done_before || attempt.may_have_taken_effect;
    const Error error = attempt.error ? *attempt.error : Refused(*attempt.answer);
    const std::chrono::nanoseconds pause = std::max(backoff.Next(), attempt.asked_pause);
    const bool out_of_time = deadline.Remaining() <= pause;
    if (attempt.may_pass && count < options_.attempts && !out_of_time) {
      std::this_thread::sleep_for(pause);
      continue;
    }
    const ErrorCode code = done_before   ? ErrorCode::kOutcomeUnknown
                           : out_of_time ? ErrorCode::kDeadlineExceeded
                                         : error.code();
    // Once more would not have helped where it was not tried.
    if (!attempt.may_pass) return Error(code, error.message());
    return Error(code, fmt::format("gave up after {} of {} attempts ({}.attempts){}: {}", count, options_.attempts,
                                   options_.setting, out_of_time ? " at the deadline" : "", error.message()));
  }
}

}  // namespace holdfast::s3
