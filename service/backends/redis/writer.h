// The writing half of the Redis backend, of one partition. The server decides, in one step, with the script `write`;
// what it answers are the rows as they stood before, and the results are made of these with the rules all backends
// share (decision.h). The two have to agree, and an answer that does not add up is an error.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/redis/client.h"
#include "service/backends/redis/change_stream.h"
#include "service/backends/redis/redis_options.h"
#include "service/backends/redis/scripts.h"
#include "service/backends/redis/write_call.h"
#include "service/storage/backend.h"

namespace holdfast::storage::redis_backend {

// The clock that decides about expiry: the given one, or the server's when it is null.
std::string ClockArgument(const Clock* clock);

// Of one call of the script, during which the server does nothing else; longer batches are several.
inline constexpr std::size_t kOperationsPerCall = 512;
inline constexpr std::size_t kBytesPerCall = std::size_t{16} << 20;

// Thread-safe.
class Writer {
 public:
  // Of the partition whose rows begin with `prefix`, of whose changes `changes` tells. Everything given outlives it.
  Writer(redis::Client& client, const Scripts& scripts, ChangeStream& changes, const RedisOptions& options,
         std::string_view prefix, const Clock* clock)
      : client_(client), scripts_(scripts), changes_(changes), options_(options), prefix_(prefix), clock_(clock) {}

  // Operations at these places, which are valid and together one call; every one of them gets a result.
  void Execute(std::span<const Operation> operations, std::span<OperationResult> results,
               std::span<const std::size_t> places, Deadline deadline);
  // Execute in parts, so that several partitions are at work at once (batch_writes.h): Begin of all of them, in rising
  // order of the partitions, because it takes the turns of their keys; then Settle of all, which gives them back; then
  // Complete of all, which may wait for others.
  struct Step {
    explicit Step(const compression::Options& compression) : call(compression) {}
    std::vector<std::size_t> places;
    WriteCall call;
    std::unique_ptr<ChangeStream::Turn> turn;
    std::optional<LogPosition> logged;  // the listener will hear of it from there
    bool again = false;                 // nothing was done, and it is to be done by itself
  };
  // Adds the call to the pipeline; when it cannot, every operation has its error.
  Status Begin(std::span<const Operation> operations, std::span<OperationResult> results, Step& step,
               redis::Pipeline& pipeline, Deadline deadline);
  void Settle(std::span<const Operation> operations, std::span<OperationResult> results, Step& step,
              Result<redis::Value> reply);
  void Complete(std::span<const Operation> operations, std::span<OperationResult> results, Step& step,
                Deadline deadline);

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
  Result<TransactionResult> TransactStorable(const Transaction& transaction, Deadline deadline);
  // Calls until this instance has joined. `turn` is what the answer was given under.
  Result<WriteAnswer> Call(const WriteCall& call, WriteCall::What what, std::unique_ptr<ChangeStream::Turn>* turn,
                           Deadline deadline);
  // `told_here`: the call had a turn. When nobody knows what came of it, nobody tells of it either.
  Result<WriteAnswer> Take(const WriteCall& call, bool told_here, Result<redis::Value> reply);
  // Results of an answer that says it was done. Where the listener will hear of it.
  std::optional<LogPosition> Conclude(std::span<const Operation> operations, std::span<OperationResult> results,
                                      std::span<const std::size_t> places, const WriteCall& call,
                                      const WriteAnswer& answer, std::unique_ptr<ChangeStream::Turn> turn);
  void Refused(std::span<const Operation> operations, std::span<OperationResult> results,
               std::span<const std::size_t> places, const Error& error, Deadline deadline);

  // Server and service do not agree on what was done, so that the listener cannot be told of it.
  Error Untold(const WriteAnswer& answer);

  struct KeyChange {
    std::string_view key;
    EntryPtr before;
    EntryPtr after;
  };
  // Tells the listener, or says where it will hear of it. Gives the turn back.
  std::optional<LogPosition> Tell(const WriteAnswer& answer, std::span<const KeyChange> changes, ChangeCause cause,
                                  std::unique_ptr<ChangeStream::Turn> turn);
  void Await(const std::optional<LogPosition>& logged, Deadline deadline) {
    if (logged) changes_.Await(*logged, deadline);
  }

  redis::Client& client_;
  const Scripts& scripts_;
  ChangeStream& changes_;
  const RedisOptions& options_;
  const std::string prefix_;
  const Clock* clock_;
  std::atomic<std::uint64_t> value_bytes_{0};
  std::atomic<std::uint64_t> packed_bytes_{0};
};

}  // namespace holdfast::storage::redis_backend
