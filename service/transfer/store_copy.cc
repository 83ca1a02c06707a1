#include "service/transfer/store_copy.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <thread>

#include "service/dual_write/rows.h"

namespace holdfast::transfer {

using storage::Entry;
using storage::KeyedEntry;
using storage::Operation;
using storage::OperationResult;
using storage::Precondition;

namespace {

// Of one call.
constexpr std::size_t kMostOperations = 1'000;
// Each that fails is another one's write of the key.
constexpr int kRounds = 50;

Operation PutOf(const KeyedEntry& item, Precondition precondition) {
  const Entry& entry = *item.entry;
  Operation put = Operation::Put(item.key, entry.value, std::move(precondition),
                                 entry.expires_at ? storage::Expiry::At(*entry.expires_at) : storage::Expiry::Never());
  put.content_type = entry.content_type;
  put.metadata = entry.metadata;
  put.tags = entry.tags;
  return put;
}

bool IsConflict(const Status& status) {
  if (status.ok()) return false;
  const ErrorCode code = status.error().code();
  return code == ErrorCode::kAlreadyExists || code == ErrorCode::kVersionConflict;
}

std::vector<OperationResult> Execute(storage::Backend& target, const std::vector<Operation>& operations) {
  std::vector<OperationResult> results(operations.size());
  target.Execute(operations, results, Deadline::After(kPatience));
  return results;
}

// An entry on its way: what has to hold in the target for it to be put.
struct Pending {
  const KeyedEntry* item = nullptr;
  Precondition condition;
};

}  // namespace

struct StoreCopy::Outcome {
  CopyCounts counts;
  std::vector<CopyFailure> failures;
  Status status;
};

namespace {

using Pendings = std::vector<Pending>;

// Puts what is pending. What is left: `again`, whose failure may pass, and `taken`, whose key has something else.
struct Round {
  Pendings again;
  Pendings taken;
  Status first;  // of `again`
};

template <typename Outcome>
Round PutAll(storage::Backend& target, Pendings pending, Outcome& outcome) {
  std::vector<Operation> puts;
  puts.reserve(pending.size());
  for (const Pending& each : pending) puts.push_back(PutOf(*each.item, each.condition));
  const std::vector<OperationResult> results = Execute(target, puts);
  Round round;
  for (std::size_t i = 0; i < pending.size(); ++i) {
    const Status& status = results[i].status;
    if (status.ok()) {
      ++outcome.counts.copied;
    } else if (IsConflict(status)) {
      round.taken.push_back(std::move(pending[i]));
    } else if (MayPass(status.error())) {
      if (round.first.ok()) round.first = status;
      round.again.push_back(std::move(pending[i]));
    } else {
      ++outcome.counts.failed;
      outcome.failures.push_back({pending[i].item->key, status.error()});
    }
  }
  return round;
}

// Those of `taken` that are to replace what the target has, each on condition that it still has that. Of which it could
// not be asked go to `round.again`.
template <typename Outcome>
Pendings Judge(storage::Backend& target, Round& round, Outcome& outcome) {
  std::vector<Operation> gets;
  gets.reserve(round.taken.size());
  for (const Pending& each : round.taken) gets.push_back(Operation::Get(each.item->key));
  const std::vector<OperationResult> results = Execute(target, gets);
  Pendings wanted;
  for (std::size_t i = 0; i < results.size(); ++i) {
    Pending& each = round.taken[i];
    const Status& status = results[i].status;
    if (!status.ok() && status.error().code() == ErrorCode::kNotFound) {
      each.condition = Precondition::Absent();
      wanted.push_back(std::move(each));
    } else if (!status.ok()) {
      if (round.first.ok()) round.first = status;
      round.again.push_back(std::move(each));
    } else if (dual_write::Fingerprint(*results[i].entry) == dual_write::Fingerprint(*each.item->entry)) {
      ++outcome.counts.same;
    } else if (results[i].entry->updated_at >= each.item->entry->updated_at) {
      ++outcome.counts.newer;
    } else {
      each.condition = Precondition::VersionIs(results[i].entry->version);
      wanted.push_back(std::move(each));
    }
  }
  return wanted;
}

void Append(Pendings from, Pendings& to) {
  std::move(from.begin(), from.end(), std::back_inserter(to));
}

}  // namespace

StoreCopy::StoreCopy(storage::Backend& target, Replace replace, const BackoffPolicy& pauses)
    : target_(target), replace_(replace), pauses_(pauses) {}

StoreCopy::Outcome StoreCopy::CopyPart(std::span<const KeyedEntry> entries) const {
  Outcome outcome;
  Pendings pending;
  // A target is mostly empty: then it is asked nothing.
  const Precondition first = replace_ == Replace::kAll ? Precondition::None() : Precondition::Absent();
  for (const KeyedEntry& item : entries) pending.push_back({&item, first});
  Backoff pauses(pauses_);
  int attempt = 1;
  for (int n = 0; n < kRounds && !pending.empty(); ++n) {
    Round round = PutAll(target_, std::move(pending), outcome);
    pending = round.taken.empty() ? Pendings() : Judge(target_, round, outcome);
    Append(std::move(round.again), pending);
    outcome.status = std::move(round.first);
    if (outcome.status.ok()) continue;
    if (attempt++ == kAttempts || !MayPass(outcome.status.error())) return outcome;
    std::this_thread::sleep_for(pauses.Next());
  }
  if (!pending.empty()) {
    outcome.status = Error(ErrorCode::kUnavailable,
                           fmt::format("others wrote the same keys {} times meanwhile: run it again", kRounds));
  }
  return outcome;
}

Result<std::vector<CopyFailure>> StoreCopy::Copy(const storage::ScanPage& page, CopyCounts& counts) const {
  const std::size_t turns = static_cast<std::size_t>(std::max(target_.capabilities().concurrent_calls, 1));
  const std::size_t most = std::min(kMostOperations, target_.limits().max_operations);
  const std::span<const KeyedEntry> all(page.entries);
  std::vector<std::span<const KeyedEntry>> parts;
  const std::size_t each = std::clamp((all.size() + turns - 1) / turns, std::size_t{1}, most);
  for (std::size_t begin = 0; begin < all.size(); begin += each) {
    parts.push_back(all.subspan(begin, std::min(each, all.size() - begin)));
  }
  std::vector<Outcome> outcomes(parts.size());
  for (std::size_t begin = 0; begin < parts.size(); begin += turns) {
    std::vector<std::thread> threads;
    for (std::size_t i = begin; i < std::min(parts.size(), begin + turns); ++i) {
      threads.emplace_back([&, i] { outcomes[i] = CopyPart(parts[i]); });
    }
    for (std::thread& thread : threads) thread.join();
  }
  std::vector<CopyFailure> failures;
  for (Outcome& outcome : outcomes) {
    HOLDFAST_RETURN_IF_ERROR(std::move(outcome.status));
    std::move(outcome.failures.begin(), outcome.failures.end(), std::back_inserter(failures));
    counts.copied += outcome.counts.copied;
    counts.same += outcome.counts.same;
    counts.newer += outcome.counts.newer;
    counts.failed += outcome.counts.failed;
  }
  return failures;
}

}  // namespace holdfast::transfer
