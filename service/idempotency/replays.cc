#include "service/idempotency/replays.h"

#include <utility>

namespace holdfast::idempotency {

using storage::Expiry;
using storage::Operation;
using storage::OperationResult;
using storage::Precondition;

Result<std::variant<Answer, Refusal>> Judge(const Request& request, const storage::Entry& row, Timestamp now) {
  using Verdict = std::variant<Answer, Refusal>;
  auto found = ReplayRow::Decode(row.value);
  // To run it again could do it twice.
  if (!found) return Error(ErrorCode::kCorruption, "the row of the Idempotency-Key cannot be read");
  if (found->fingerprint != request.fingerprint) return Verdict(Refusal::kOtherRequest);
  switch (found->state) {
    case ReplayRow::State::kBegun:
      return Verdict(now < found->until ? Refusal::kRunning : Refusal::kUnknown);
    case ReplayRow::State::kDropped:
      return Verdict(Refusal::kAnswerNotKept);
    case ReplayRow::State::kDone:
      break;
  }
  return Verdict(std::move(found->answer));
}

Result<Standing> Claim(storage::Backend& rooms, const Request& request, Timestamp now, Timestamp until,
                       std::chrono::microseconds ttl, Deadline deadline) {
  ReplayRow begun;
  begun.fingerprint = request.fingerprint;
  begun.until = until;
  const Operation claim = Operation::Put(request.row, begun.Encode(), Precondition::Absent(), Expiry::After(ttl));
  // The row may expire or be released between the two looks; then the claim is tried again.
  for (int attempt = 0; attempt < 3; ++attempt) {
    const OperationResult claimed = storage::ExecuteOne(rooms, claim, deadline);
    if (claimed.status.ok()) return Standing(Claimed{claimed.version});
    if (claimed.status.error().code() != ErrorCode::kAlreadyExists) return claimed.status.error();
    const OperationResult found = storage::ExecuteOne(rooms, Operation::Get(request.row), deadline);
    if (!found.status.ok() && found.status.error().code() == ErrorCode::kNotFound) continue;
    if (!found.status.ok()) return found.status.error();
    HOLDFAST_ASSIGN_OR_RETURN(auto verdict, Judge(request, *found.entry, now));
    return std::visit([](auto&& one) { return Standing(std::forward<decltype(one)>(one)); }, std::move(verdict));
  }
  return Standing(Refusal::kRunning);
}

ReplayRow Done(const Request& request, Answer answer, std::size_t max_bytes) {
  ReplayRow done;
  done.state = ReplayRow::State::kDone;
  done.fingerprint = request.fingerprint;
  done.answer = std::move(answer);
  if (done.answer.body.size() > max_bytes || done.Encode().size() > max_bytes) {
    done.state = ReplayRow::State::kDropped;
    done.answer = {done.answer.status, {}, {}, {}};
  }
  return done;
}

Status Keep(storage::Backend& rooms, const Request& request, storage::Version claim, const ReplayRow& done,
            std::chrono::microseconds ttl, Deadline deadline) {
  const Operation put = Operation::Put(request.row, done.Encode(), Precondition::VersionIs(claim), Expiry::After(ttl));
  return storage::ExecuteOne(rooms, put, deadline).status;
}

Operation Record(const Request& request, const ReplayRow& done, std::chrono::microseconds ttl) {
  return Operation::Put(request.row, done.Encode(), Precondition::Absent(), Expiry::After(ttl));
}

Status Release(storage::Backend& rooms, const Request& request, storage::Version claim, Deadline deadline) {
  return storage::ExecuteOne(rooms, Operation::Delete(request.row, Precondition::VersionIs(claim)), deadline).status;
}

}  // namespace holdfast::idempotency
