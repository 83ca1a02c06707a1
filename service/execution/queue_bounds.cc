#include "service/execution/queue_bounds.h"

#include <fmt/format.h>

namespace holdfast::execution {

std::size_t SizeOf(const storage::Operation& operation) {
  return operation.key.size() + operation.value.size() + operation.precondition.value.size() +
         operation.metadata.size();
}

bool IsLate(const Deadline& deadline, std::chrono::steady_clock::time_point now) {
  return !deadline.infinite() && deadline.WaitUntil() <= now;
}

Error PassedWhileWaiting() {
  return {ErrorCode::kDeadlineExceeded,
          "the deadline passed while the operation waited for its turn: nothing was attempted"};
}

Error Drained() {
  return {ErrorCode::kUnavailable, "the service is shutting down: try another replica"};
}

std::optional<Error> QueueBounds::Refusal(std::size_t operations, std::size_t bytes) const {
  // What is larger than the whole queue can never get in; saying "unavailable" would have it retried for ever.
  if (operations > options_.max_queued_operations) {
    return Error(ErrorCode::kResourceExhausted,
                 fmt::format("{} operations at once, executor.queued_operations is {}: split them or raise the limit",
                             operations, options_.max_queued_operations));
  }
  if (bytes > options_.max_queued_bytes) {
    return Error(ErrorCode::kResourceExhausted,
                 fmt::format("{} bytes at once, executor.queued_bytes is {}: split them or raise the limit", bytes,
                             options_.max_queued_bytes));
  }
  if (operations_ + operations > options_.max_queued_operations) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("{} operations wait for the backend, executor.queued_operations is {}: try again later",
                             operations_, options_.max_queued_operations));
  }
  if (bytes_ + bytes > options_.max_queued_bytes) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("{} bytes wait for the backend, executor.queued_bytes is {}: try again later", bytes_,
                             options_.max_queued_bytes));
  }
  return std::nullopt;
}

}  // namespace holdfast::execution
