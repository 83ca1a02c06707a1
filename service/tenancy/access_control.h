// Who may come in and what they may do there: the file of tokens and rules, read again while the service runs, and the
// service accounts of Kubernetes.
//
// Off (mode none): everybody is AnonymousPrincipal, may name any namespace and do everything. The network is then the
// only protection; docs/operations.md says so.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "base/metrics/metrics.h"
#include "base/result/result.h"
#include "base/time/clock.h"
#include "service/tenancy/access_file.h"
#include "service/tenancy/authenticator.h"
#include "service/tenancy/service_accounts.h"

namespace holdfast::tenancy {

enum class AuthMode { kNone, kTokens, kServiceAccount, kBoth };

struct AccessOptions {
  AuthMode mode = AuthMode::kNone;
  std::string file;  // every mode but none
  std::chrono::microseconds reread_interval = std::chrono::seconds{2};
  TokenReviewOptions review;
  ServiceAccountOptions service_accounts;
};

// The policy of one moment; a request keeps the one it began with.
using PolicyPtr = std::shared_ptr<const AccessPolicy>;

// Thread-safe.
class AccessControl {
 public:
  // Fails when the file cannot be read now. Later a file that is broken or missing is logged once and changes nothing:
  // the last good one holds, whose tokens still expire. `registry` and `clock` outlive it.
  static Result<std::unique_ptr<AccessControl>> Open(const AccessOptions& options, metrics::Registry& registry,
                                                     const Clock& clock = SystemClock());
  // The same with a review of the caller's own.
  static Result<std::unique_ptr<AccessControl>> Open(const AccessOptions& options, TokenReview review,
                                                     metrics::Registry& registry, const Clock& clock);
  virtual ~AccessControl() = default;

  virtual bool on() const = 0;
  virtual Authenticator& authenticator() = 0;
  // nullptr when off: nothing is refused.
  virtual PolicyPtr policy() const = 0;
  // Looks at the file now rather than in a while.
  virtual void Reread() = 0;
  // Waits for the reviews in progress, whose requests go on, and answers later ones with kUnavailable. Idempotent.
  virtual void Stop() = 0;
};

}  // namespace holdfast::tenancy
