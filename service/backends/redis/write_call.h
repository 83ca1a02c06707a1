// One call of the script `write`: what it is told and what it answers.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/redis/client.h"
#include "service/backends/redis/change_stream.h"
#include "service/backends/redis/redis_options.h"
#include "service/backends/redis/scripts.h"
#include "service/compression/codec.h"
#include "service/storage/backend.h"

namespace holdfast::storage::redis_backend {

struct WriteAnswer {
  enum class Outcome { kDone, kNotJoined, kTooLarge, kLocksPaused };
  Outcome outcome = Outcome::kDone;
  std::int64_t pause = 0;      // kLocksPaused: seconds
  Timestamp now{};             // by which it was decided what has expired
  Version first_version = 0;   // the n-th write operation got this + n
  bool direct = false;         // nothing was logged
  LogPosition logged;          // of the last change
  std::uint64_t changes = 0;   // keys that changed
  std::vector<EntryPtr> rows;  // as they stood before, expired or not; null = none; in the order of keys()
};

// Not thread-safe. What it is given outlives it.
class WriteCall {
 public:
  explicit WriteCall(const compression::Options& compression) : compression_(compression) {}

  // The place of the key among keys(); the same key has one place.
  std::size_t AddKey(std::string_view key);
  void AddCondition(const Condition& condition);
  // Of a transaction: what comes now belongs to its second branch.
  void EndThen() { thens_ = words_.size(); }
  void AddOperation(const Operation& operation);

  const std::vector<std::string_view>& keys() const { return keys_; }
  // The place of the key of the n-th operation or condition that was added.
  std::size_t place(std::size_t n) const { return own_places_[n]; }
  // Of the values that are packed: their bytes before and after.
  std::uint64_t value_bytes() const { return value_bytes_; }
  std::uint64_t packed_bytes() const { return packed_bytes_; }

  enum class What { kExecute, kTransact, kSweep };
  // Adds it to the pipeline, for the partition whose rows begin with `prefix`. kResourceExhausted: it holds more than
  // one step takes.
  Status AddTo(redis::Pipeline& pipeline, What what, const Scripts& scripts, const RedisOptions& options,
               std::string_view prefix, std::string_view clock, std::string_view instance,
               const ChangeStream::Turn* turn) const;
  // What came of it. An error when it was not done, or kOutcomeUnknown.
  Result<WriteAnswer> Take(Result<redis::Value> reply) const;

 private:
  std::string_view Keep(std::string text) { return kept_.emplace_back(std::move(text)); }
  // What an operation or condition begins with, and the arguments its letters call for.
  void AddHead(char kind, std::string_view key, const Precondition& precondition, const Expiry& expiry,
               std::vector<std::string_view>* words);
  void AddPut(const Operation& operation);
  // The arguments of the script `put` behind those of every step.
  void AddPuts(std::string* names, std::string_view prefix, std::vector<std::string_view>* arguments) const;

  const compression::Options& compression_;
  std::uint64_t value_bytes_ = 0;
  std::uint64_t packed_bytes_ = 0;
  std::vector<std::string_view> keys_;
  std::unordered_map<std::string_view, std::size_t> places_;
  std::size_t conditions_ = 0;
  std::vector<std::string_view> condition_words_;
  std::vector<std::string_view> words_;  // of the operations
  std::size_t thens_ = 0;                // of these, words of the first branch
  std::vector<std::size_t> own_places_;  // of all that were added, in their order
  // So far only unconditional puts of different keys that never expire: words_ are a head and what is put of each.
  bool only_puts_ = true;
  bool takes_lock_ = false;
  std::deque<std::string> kept_;
};

}  // namespace holdfast::storage::redis_backend
