#include "service/composition/copies.h"

#include <algorithm>

namespace holdfast::composition {
namespace {

using storage::Expiry;
using storage::Operation;
using storage::OperationResult;

std::optional<CachedCopy> CopyIn(const OperationResult& result) {
  if (!result.status.ok() || !result.entry) return std::nullopt;
  return DecodeCopy(result.entry->value);
}

}  // namespace

std::optional<CachedCopy> Copies::Find(std::string_view key, Deadline deadline) const {
  if (frequency_) frequency_->Note(key);
  return CopyIn(storage::ExecuteOne(*cache_, Operation::Get(KeyOf(key)), Patience(deadline)));
}

std::vector<std::optional<CachedCopy>> Copies::Find(std::span<const std::string_view> keys, Deadline deadline) const {
  std::vector<Operation> gets;
  gets.reserve(keys.size());
  for (const std::string_view key : keys) {
    if (frequency_) frequency_->Note(key);
    gets.push_back(Operation::Get(KeyOf(key)));
  }
  std::vector<OperationResult> results(gets.size());
  cache_->Execute(gets, results, Patience(deadline));
  std::vector<std::optional<CachedCopy>> copies;
  copies.reserve(results.size());
  for (const OperationResult& result : results) copies.push_back(CopyIn(result));
  return copies;
}

std::chrono::microseconds Copies::TtlOf(const New& copy) const {
  if (!copy.entry) return options_.negative_ttl;
  if (!frequency_) return options_.ttl;
  return AdaptiveTtl(frequency_->Estimate(copy.key), *options_.ttl_floor, options_.ttl);
}

void Copies::Keep(std::span<const New> copies, Deadline deadline) const {
  const Timestamp now = clock_.Now();
  std::vector<Operation> puts;
  puts.reserve(copies.size());
  for (const New& copy : copies) {
    const auto ttl = TtlOf(copy);
    if (ttl.count() == 0 || (copy.entry && copy.entry->value.size() > options_.max_value_bytes)) continue;
    Timestamp until = now + ttl;
    if (copy.entry && copy.entry->expires_at) until = std::min(until, *copy.entry->expires_at);
    puts.push_back(Operation::Put(KeyOf(copy.key), EncodeCopy(copy.stamp, copy.entry.get()), {}, Expiry::At(until)));
  }
  if (puts.empty()) return;
  std::vector<OperationResult> results(puts.size());
  // One that was not kept is a read of the system of record more.
  cache_->Execute(puts, results, Patience(deadline));
}

}  // namespace holdfast::composition
