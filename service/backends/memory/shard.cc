#include "service/backends/memory/shard.h"

#include <algorithm>

namespace holdfast::storage {

Record& Shard::Store(const HashedKey& key, KeptEntry kept, bool* is_new) {
  Record* record = records_.Find(key);
  if (!moments_.empty()) Preserve(key.key, record);
  if (is_new != nullptr) *is_new = record == nullptr;
  if (record == nullptr) {
    record = &records_.Add(key);
    ordered_.insert(record);
  } else if (record->entry->expires_at) {
    expiring_.erase({*record->entry->expires_at, record->key()});
  }
  newest_ = std::max(newest_, kept.entry->version);
  record->expires_at = kept.entry->expires_at.value_or(Timestamp::max());
  if (kept.entry->expires_at) expiring_.emplace(*kept.entry->expires_at, record->key());
  record->entry = std::move(kept.entry);
  record->packed = kept.packed ? 1 : 0;
  return *record;
}

void Shard::Erase(const HashedKey& key) {
  Record* record = records_.Find(key);
  if (record == nullptr) return;
  if (!moments_.empty()) Preserve(key.key, record);
  SetCandidate(*record, false);
  if (record->entry->expires_at) expiring_.erase({*record->entry->expires_at, record->key()});
  ordered_.erase(record);
  records_.Remove(key);
}

void Shard::Preserve(std::string_view key, const Record* record) {
  for (ShardMoment* const moment : moments_) {
    const bool read = moment->complete || (moment->read && key <= *moment->read);
    const bool known = record != nullptr && record->entry->version > moment->newest;
    if (known || read || !moment->range.Contains(key)) continue;
    moment->changed.emplace_back(key, record != nullptr ? record->Kept() : KeptEntry{});
    if (moment->changed.size() < moment->compact_at) continue;
    Compact(&moment->changed);
    moment->compact_at = std::max(ShardMoment::kCompactFirst, 2 * moment->changed.size());
  }
}

void Compact(std::vector<ShardMoment::Change>* changed) {
  using Change = ShardMoment::Change;
  std::stable_sort(changed->begin(), changed->end(),
                   [](const Change& a, const Change& b) { return a.first < b.first; });
  const auto end = std::unique(changed->begin(), changed->end(),
                               [](const Change& a, const Change& b) { return a.first == b.first; });
  changed->erase(end, changed->end());
}

void Shard::SetCandidate(Record& record, bool candidate) {
  if (candidate == (record.candidate != Record::kNoCandidate)) return;
  if (candidate) {
    record.candidate = static_cast<std::uint32_t>(candidates_.size()) & Record::kNoCandidate;
    candidates_.push_back(&record);
    return;
  }
  Record* const last = candidates_.back();
  candidates_[record.candidate] = last;
  last->candidate = record.candidate;
  candidates_.pop_back();
  record.candidate = Record::kNoCandidate;
}

std::optional<std::string_view> Shard::FirstExpired(Timestamp now) const {
  if (expiring_.empty() || expiring_.begin()->first > now) return std::nullopt;
  return expiring_.begin()->second;
}

void Shard::Clear() {
  candidates_.clear();
  expiring_.clear();
  ordered_.clear();
  records_.Clear();
}

std::vector<std::string> Shard::Expired(Timestamp now, std::size_t most) const {
  std::vector<std::string> keys;
  for (const auto& [expires_at, key] : expiring_) {
    if (expires_at > now || keys.size() == most) break;
    keys.emplace_back(key);
  }
  return keys;
}

}  // namespace holdfast::storage
