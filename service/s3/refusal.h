// What a server says when it does not do what it was asked, and what that means for whoever set it up. Pure,
// thread-safe.
#pragma once

#include <string>

#include "base/http/http_client.h"
#include "service/s3/bucket_options.h"

namespace holdfast::s3 {

struct Refusal {
  int status = 0;
  std::string code;     // "NoSuchKey"; empty when the answer has none
  std::string message;  // the server's, shortened, without control characters
};

// Of an answer other than 2xx, and of one whose body is an <Error> all the same.
Refusal ReadRefusal(const http::ClientResponse& response);
bool HasErrorBody(const http::ClientResponse& response);

// The same request may well be answered otherwise a little later.
bool MayPass(const Refusal& refusal);
// Whether a request that changes something may have done so nevertheless.
bool MayHaveTakenEffect(const Refusal& refusal);
// With the setting that it is about, and the remedy.
Error Explain(const Refusal& refusal, const BucketOptions& options);

}  // namespace holdfast::s3
