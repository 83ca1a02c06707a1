// The writing half of the Redis backend. The server decides, in one step, with the script `write`; what it answers are
// the rows as they stood before, and the results are made of these with the rules all backends share (decision.h). The
// two have to agree, and an answer that does not add up is an error.
#pragma once

#include <atomic>

#include "base/redis/client.h"
#include "service/backends/redis/change_stream.h"
#include "service/backends/redis/redis_options.h"
#include "service/backends/redis/scripts.h"
#include "service/backends/redis/write_call.h"
#include "service/storage/backend.h"

namespace holdfast::storage::redis_backend {

// The clock that decides about expiry: the given one, or the server's when it is null.
std::string ClockArgument(const Clock* clock);

// Thread-safe.
class Writer {
 public:
  Writer(redis::Client& client, const Scripts& scripts, ChangeStream& changes, const RedisOptions& options,
         const Clock* clock)
      : client_(client), scripts_(scripts), changes_(changes), options_(options), clock_(clock) {}

  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline);
  Result<TransactionResult> Transact(const Transaction& transaction, Deadline deadline);
  // Removes some of what has expired.
  struct Swept {
    std::uint64_t removed = 0;
    bool more = false;  // there may be
  };
  Result<Swept> Sweep(Deadline deadline);
  // Of the values that were packed since the start: their bytes before and after.
  std::uint64_t value_bytes() const { return value_bytes_.load(std::memory_order_relaxed); }
  std::uint64_t packed_bytes() const { return packed_bytes_.load(std::memory_order_relaxed); }

 private:
  // Operations at these places, which are valid; every one of them gets a result.
  void ExecuteSome(std::span<const Operation> operations, std::span<OperationResult> results,
                   std::span<const std::size_t> places, Deadline deadline);
  Result<TransactionResult> TransactStorable(const Transaction& transaction, Deadline deadline);
  // Calls until this instance has joined. `turn` is what the answer was given under.
  Result<WriteAnswer> Call(const WriteCall& call, WriteCall::What what, std::unique_ptr<ChangeStream::Turn>* turn,
                           Deadline deadline);

  struct KeyChange {
    std::string_view key;
    EntryPtr before;
    EntryPtr after;
  };
  // Returns when the listener has heard, or will hear.
  void Publish(const WriteAnswer& answer, std::span<const KeyChange> changes, ChangeCause cause,
               std::unique_ptr<ChangeStream::Turn> turn, Deadline deadline);

  redis::Client& client_;
  const Scripts& scripts_;
  ChangeStream& changes_;
  const RedisOptions& options_;
  const Clock* clock_;
  std::atomic<std::uint64_t> value_bytes_{0};
  std::atomic<std::uint64_t> packed_bytes_{0};
};

}  // namespace holdfast::storage::redis_backend
