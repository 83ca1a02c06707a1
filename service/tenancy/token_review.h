// One question to the Kubernetes API: whose token is this? (authentication.k8s.io/v1 TokenReview,
// https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/)
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/tenancy/principal.h"

namespace holdfast::tenancy {

struct TokenReviewOptions {
  std::string server;   // "https://10.0.0.1:443"
  std::string ca_file;  // PEM; read again before every review; empty = the system's authorities
  // The service's own token, allowed to create tokenreviews; read again before every review. Empty = none.
  std::string token_file;
  std::string audience;  // the token must be meant for it; empty = for the API server itself
};

// The service account a token belongs to: named "system:serviceaccount:<namespace>:<name>", in that namespace. nullptr
// when the token is no good, is meant for another audience or belongs to something else. kUnavailable when the API
// could not be asked or gave no usable answer. Thread-safe; blocks until the deadline at most.
using TokenReview = std::function<Result<PrincipalPtr>(const std::string& token, Deadline deadline)>;

TokenReview MakeTokenReview(const TokenReviewOptions& options);

}  // namespace holdfast::tenancy
