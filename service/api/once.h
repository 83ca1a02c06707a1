// Idempotency-Key: a request that is sent again is answered like the first time, and runs once.
//
// Increment, take, touch and the one-shot transaction put their effect and the row with the answer into one transaction
// (once_effect.h); a commit leaves a row of its own. Everything else claims its row, runs, and leaves the answer there.
#pragma once

#include <memory>
#include <variant>

#include "base/metrics/metrics.h"
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

// holdfast_idempotency_requests_total{result}. Thread-safe.
class OnceMetrics {
 public:
  explicit OnceMetrics(metrics::Registry& registry);

  metrics::Counter& first;     // of its key, and it was run
  metrics::Counter& replayed;  // answered like the first
  metrics::Counter& refused;   // a repeat that has no answer: another request, still running, outcome or answer unknown
};

// What an exchange with a key carries until it is answered. Used from one thread at a time.
class Once {
 public:
  Once(const Exchange& exchange, idempotency::Request request, bool with_effect);

  const idempotency::Request& request() const { return request_; }
  const OnceOptions& options() const { return options_; }
  // Nothing is claimed: the handler writes the row together with its effect.
  bool with_effect() const { return with_effect_; }
  // What is kept of this answer.
  idempotency::ReplayRow DoneRow(const Response& response) const;

  // From now on the row is ours, and in that version.
  void SetClaim(storage::Version version);
  // The row has been written together with the effect. It stands, should the whole answer be too long for one.
  void SetRecorded(storage::Version version);

  // Keeps the answer, or releases the claim when nothing was done, and then answers; on the store's pool. `failed` is
  // what the answer says, if it is a problem. An outcome that is not known leaves the row as it is.
  void Finish(Response response, const ProblemKind* failed, Responder responder);

 private:
  const std::shared_ptr<const storage::TenantView> tenant_;
  execution::Executor& executor_;
  const idempotency::Request request_;
  const OnceOptions options_;
  const bool with_effect_;
  storage::Version row_ = 0;  // the version of it that is ours; 0 = none
  bool recorded_ = false;
};

// Answers a repeat if it is one; otherwise runs `handle`, with the exchange's Once set, on the store's pool.
void ServeOnce(std::unique_ptr<Exchange> exchange, void (*handle)(std::unique_ptr<Exchange> exchange));

// Answers a repeat by what its row says.
void AnswerRepeat(Exchange& exchange, std::variant<idempotency::Answer, idempotency::Refusal> verdict);
// Answers the request whose own answer was lost on the way from the backend by what it left in the row.
void AnswerFound(Exchange& exchange, std::variant<idempotency::Answer, idempotency::Refusal> verdict);

}  // namespace holdfast::api
