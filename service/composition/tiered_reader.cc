#include "service/composition/tiered_reader.h"

#include <numeric>

#include "service/storage/decision.h"

namespace holdfast::composition {

using storage::Operation;
using storage::OperationResult;

bool TieredReader::AnswerFrom(const std::optional<CachedCopy>& copy, const Operation& get,
                              OperationResult& result) const {
  // Asked behind the look into the cache: at this moment nobody has begun to change what was copied.
  if (!copy || stamps_.Current(get.key) != copy->stamp) return false;
  // The system of record may know a newer one yet (min_version is asked of eventual reads only).
  if (get.min_version > (copy->entry ? copy->entry->version : 0)) return false;
  const bool live = copy->entry && !(copy->entry->expires_at && storage::IsExpired(*copy->entry, clock_.Now()));
  storage::DecideGet(get, live ? copy->entry : nullptr, result);
  return true;
}

void TieredReader::Read(std::span<const Operation> gets, std::span<OperationResult> results, Deadline deadline) {
  Indexes missing;
  if (gets.size() == 1) {
    if (!AnswerFrom(copies_.Find(gets[0].key, deadline), gets[0], results[0])) missing.push_back(0);
  } else {
    std::vector<std::string_view> keys;
    keys.reserve(gets.size());
    for (const Operation& get : gets) keys.push_back(get.key);
    const std::vector<std::optional<CachedCopy>> found = copies_.Find(keys, deadline);
    for (std::size_t i = 0; i < gets.size(); ++i) {
      if (!AnswerFrom(found[i], gets[i], results[i])) missing.push_back(i);
    }
  }
  hits_.fetch_add(gets.size() - missing.size(), std::memory_order_relaxed);
  if (missing.empty()) return;
  misses_.fetch_add(missing.size(), std::memory_order_relaxed);
  ReadThrough(gets, missing, results, deadline);
}

void TieredReader::Refill(std::span<const Operation> gets, std::span<OperationResult> results, Deadline deadline) {
  Indexes all(gets.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  ReadThrough(gets, all, results, deadline);
}

void TieredReader::ReadThrough(std::span<const Operation> gets, const Indexes& missing,
                               std::span<OperationResult> results, const Deadline& deadline) {
  std::vector<Miss> led;
  std::vector<Miss> waiting;
  Indexes alone;  // nothing that is read of them now may be kept or shared
  for (const std::size_t i : missing) {
    const std::optional<Stamp> stamp = stamps_.Current(gets[i].key);
    if (!stamp) {
      alone.push_back(i);
      continue;
    }
    Flights::Boarded boarded = flights_.Board(gets[i].key, *stamp);
    (boarded.leads ? led : waiting).push_back({i, *stamp, std::move(boarded.flight)});
  }
  // First what others may wait for: two calls that wait for each other's keys both land before they wait.
  if (!led.empty() || !alone.empty()) Fly(gets, led, alone, results, deadline);
  if (waiting.empty()) return;
  coalesced_.fetch_add(waiting.size(), std::memory_order_relaxed);
  const Indexes again = Await(gets, waiting, results, deadline);
  if (!again.empty()) Fly(gets, {}, again, results, deadline);
}

void TieredReader::Fly(std::span<const Operation> gets, const std::vector<Miss>& led, const Indexes& alone,
                       std::span<OperationResult> results, const Deadline& deadline) {
  std::vector<Operation> reads;
  reads.reserve(led.size() + alone.size());
  // Without their preconditions, which are the callers' own.
  for (const Miss& miss : led) reads.push_back(Operation::Get(gets[miss.index].key));
  for (const std::size_t i : alone) reads.push_back(gets[i]);
  std::vector<OperationResult> answers(reads.size());
  record_.Execute(reads, answers, deadline);

  std::vector<Copies::New> copies;
  for (std::size_t k = 0; k < led.size(); ++k) {
    const Operation& get = gets[led[k].index];
    OperationResult& answer = answers[k];
    const bool absent = !answer.status.ok() && answer.status.error().code() == ErrorCode::kNotFound;
    const bool failed = !answer.status.ok() && !absent;
    flights_.Land(get.key, led[k].flight, {failed, answer.entry});
    if (failed) {
      results[led[k].index] = std::move(answer);
      continue;
    }
    copies.push_back({get.key, led[k].stamp, answer.entry});
    storage::DecideGet(get, std::move(answer.entry), results[led[k].index]);
  }
  for (std::size_t k = 0; k < alone.size(); ++k) results[alone[k]] = std::move(answers[led.size() + k]);
  if (!copies.empty()) keep_(copies, deadline);
}

TieredReader::Indexes TieredReader::Await(std::span<const Operation> gets, const std::vector<Miss>& waiting,
                                          std::span<OperationResult> results, const Deadline& deadline) const {
  Indexes again;
  for (const Miss& miss : waiting) {
    std::optional<Flights::Landing> landing = Flights::Await(*miss.flight, deadline);
    if (!landing) {
      results[miss.index] = OperationResult{};
      results[miss.index].status =
          Error(ErrorCode::kDeadlineExceeded, "the deadline passed while another request read the same key");
    } else if (landing->failed) {
      again.push_back(miss.index);
    } else {
      storage::DecideGet(gets[miss.index], std::move(landing->entry), results[miss.index]);
    }
  }
  return again;
}

TieredStatistics TieredReader::statistics() const {
  return {hits_.load(std::memory_order_relaxed), misses_.load(std::memory_order_relaxed),
          coalesced_.load(std::memory_order_relaxed)};
}

}  // namespace holdfast::composition
