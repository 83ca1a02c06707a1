// One signed request to a bucket, tried again while that can help: with no connection, no whole answer, or a refusal
// that may pass, `attempts` times at most, with jitter between, or as long as the server asks for (Retry-After), and
// never beyond the deadline.
#pragma once

#include <optional>
#include <string>

#include "base/http/http_client.h"
#include "base/result/result.h"
#include "base/time/clock.h"
#include "base/time/deadline.h"
#include "service/s3/bucket_options.h"
#include "service/s3/refusal.h"
#include "service/s3/signature.h"

namespace holdfast::s3 {

struct Call {
  std::string method = "GET";
  std::string key;  // of a-z, A-Z, 0-9, '.', '_', '-' and '/'; empty: the bucket itself
  Query query;
  http::Headers headers;
  std::string_view body;    // sent as it is by every attempt; outlives the call
  bool late_error = false;  // 200 may stand in front of an <Error>
};

struct Answer {
  http::Headers headers;
  std::string body;
  std::optional<Refusal> refusal;  // it was answered with one that cannot pass
  // An attempt before this one may have taken effect: "there is no such thing" may be its own doing.
  bool done_before = false;
};

// Thread-safe.
class Caller {
 public:
  explicit Caller(BucketOptions options);

  const BucketOptions& options() const { return options_; }
  // kUnavailable, kDeadlineExceeded: it took no effect. kOutcomeUnknown: it may have, and says of which kind the last
  // failure was. kFailedPrecondition: no keys, or options that make no sense.
  Result<Answer> Send(const Call& call, Deadline deadline);
  // What a refusal means to whoever has to do something about it.
  Error Refused(const Answer& answer) const { return Explain(*answer.refusal, options_); }

 private:
  struct Attempt;
  Attempt Try(const Call& call, Deadline deadline);

  const BucketOptions options_;
  const std::string host_;       // the value of Host, as the HTTP library writes it
  const std::string root_path_;  // "/bucket/", or "/" where the bucket is the host
  http::HttpClient client_;
};

}  // namespace holdfast::s3
