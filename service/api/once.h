// Idempotency-Key: a request that is sent again is answered like the first time, and runs once.
#pragma once

#include <memory>

#include "service/api/problem.h"
#include "service/execution/executor.h"
#include "service/http/http_message.h"
#include "service/idempotency/replays.h"
#include "service/storage/tenant_view.h"
#include "service/storage/types.h"

namespace holdfast::api {

class Exchange;

struct OnceOptions {
  std::chrono::microseconds ttl = std::chrono::hours{24};  // how long answers are kept
  std::size_t max_answer_bytes = 1u << 20;                 // longer ones are not
};

// What an exchange with a key carries until it is answered. Used from one thread at a time.
class Once {
 public:
  Once(std::shared_ptr<const storage::TenantView> tenant, execution::Executor& executor, idempotency::Request request,
       const OnceOptions& options)
      : tenant_(std::move(tenant)), executor_(executor), request_(std::move(request)), options_(options) {}

  const idempotency::Request& request() const { return request_; }
  const OnceOptions& options() const { return options_; }
  // From now on the row is ours, and in that version.
  void SetClaim(storage::Version version) { claim_ = version; }

  // Keeps the answer, or releases the row when nothing was done, and then answers; on the store's pool. `failed` is
  // what the answer says, if it is a problem. An outcome that is not known leaves the claim as it is.
  void Finish(Response response, const ProblemKind* failed, Responder responder);

 private:
  const std::shared_ptr<const storage::TenantView> tenant_;
  execution::Executor& executor_;
  const idempotency::Request request_;
  const OnceOptions options_;
  storage::Version claim_ = 0;  // 0: nothing is claimed
};

// Runs `handle` on the store's pool if the request is the first with its key; otherwise answers for it.
void ServeOnce(std::unique_ptr<Exchange> exchange, void (*handle)(std::unique_ptr<Exchange> exchange));

// For an exchange that ServeOnce let through: the increment and the row with its answer in one transaction, so that not
// even a crash makes it happen twice or leaves its outcome unknown. `operation` has passed Validate. `respond` makes
// the answer of a result; one without a version has no ETag yet.
using RespondOne = Response (*)(Exchange& exchange, const storage::OperationResult& result);
void IncrementOnce(std::unique_ptr<Exchange> exchange, storage::Operation operation, RespondOne respond);

}  // namespace holdfast::api
