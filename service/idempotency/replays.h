// Requests that take effect once however often they are sent (draft-ietf-httpapi-idempotency-key-header): the first one
// claims its row before it runs, and leaves its answer there for the others.
//
// What a crash leaves: before the claim nothing; behind it a row that says "begun". Until the claimant must have given
// up a repeat is told to wait; from then on that the outcome is unknown, since it ran or did not. It is never run again
// while the row stands. A caller that can put its effect and the row into one transaction does without the claim.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/idempotency/replay_row.h"
#include "service/storage/backend.h"

namespace holdfast::idempotency {

struct Request {
  std::string row;          // where it stands in the tenant's rooms
  std::string fingerprint;  // two requests with the same one ask for the same
};

struct Claimed {
  storage::Version version = 0;  // of the row
};
enum class Refusal {
  kOtherRequest,   // the key was used for something else
  kRunning,        // the first is not done yet
  kUnknown,        // the first was begun and its end was not seen
  kAnswerNotKept,  // the first was done
};
// To be run; or how it was answered; or why neither.
using Standing = std::variant<Claimed, Answer, Refusal>;

// What a row that was found means for this request at `now`.
Result<std::variant<Answer, Refusal>> Judge(const Request& request, const storage::Entry& row, Timestamp now);

// Claims the row unless it is there. `until`: when the caller gives up for certain.
Result<Standing> Claim(storage::Backend& rooms, const Request& request, Timestamp now, Timestamp until,
                       std::chrono::microseconds ttl, Deadline deadline);

// What the row says from then on: the answer, or only that the request was done when that would be above `max_bytes`.
ReplayRow Done(const Request& request, Answer answer, std::size_t max_bytes);
// Puts it in the place of the claim.
Status Keep(storage::Backend& rooms, const Request& request, storage::Version claim, const ReplayRow& done,
            std::chrono::microseconds ttl, Deadline deadline);
// The same for whoever has no claim, as an operation of the transaction that takes effect: it fails with kAlreadyExists
// when the row is there.
storage::Operation Record(const Request& request, const ReplayRow& done, std::chrono::microseconds ttl);
// Nothing was done: the next one may run.
Status Release(storage::Backend& rooms, const Request& request, storage::Version claim, Deadline deadline);

}  // namespace holdfast::idempotency
