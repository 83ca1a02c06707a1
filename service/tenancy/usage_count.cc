#include "service/tenancy/usage_count.h"

#include <algorithm>

#include "service/tenancy/usage_accounts.h"

namespace holdfast::tenancy {
namespace {

bool OutlivesHorizon(const std::optional<Timestamp>& expires_at, Timestamp horizon) {
  return !expires_at || *expires_at > horizon;
}

Amount AmountOf(const storage::KeyedEntry& item) {
  const auto place = storage::FindPlace(item.key);
  return place ? tenancy::AmountOf(*place, *item.entry, item.value_bytes) : Amount{};
}

}  // namespace

bool UsageCount::IsCounted(std::string_view key, const storage::Entry& entry) const {
  if (OutlivesHorizon(entry.expires_at, last_horizon_)) return true;
  const auto page = std::partition_point(
      pages_.begin(), pages_.end(), [&](const Page& candidate) { return candidate.last && *candidate.last < key; });
  return page != pages_.end() && *entry.expires_at > page->horizon;
}

void UsageCount::Apply(std::string_view key, const storage::KeyPlace& place, const storage::EntryPtr& before,
                       const storage::EntryPtr& after) {
  Amount change;
  if (after != nullptr && IsCounted(key, *after)) change += tenancy::AmountOf(place, *after, after->value.size());
  if (before != nullptr && IsCounted(key, *before)) change -= tenancy::AmountOf(place, *before, before->value.size());
  if (change != Amount{}) accounts_.Get(place.name_space).Add(change);
}

bool UsageCount::IsBehind(std::string_view key) const {
  return !pages_.empty() && (!pages_.back().last || key <= *pages_.back().last);
}

void UsageCount::OnChange(std::string_view key, const storage::EntryPtr& before, const storage::EntryPtr& after,
                          storage::ChangeCause) noexcept {
  const auto place = storage::FindPlace(key);
  if (!place) return;
  if (complete()) return Apply(key, *place, before, after);
  const std::lock_guard lock(mutex_);
  if (IsBehind(key)) return Apply(key, *place, before, after);
  if (!reading_) return;
  Told& told = told_[std::string(key)];
  told.name_space = place->name_space;
  told.amount = after != nullptr ? tenancy::AmountOf(*place, *after, after->value.size()) : Amount{};
  told.expires_at = after != nullptr ? after->expires_at : std::nullopt;
}

Result<storage::ScanPage> UsageCount::ReadPage(Deadline deadline) const {
  const auto backend = backend_.lock();
  if (backend == nullptr) return Error(ErrorCode::kUnavailable, "the backend is gone");
  storage::ScanRequest request;
  request.keys_only = true;
  request.limit = backend->limits().max_scan_entries;
  if (!pages_.empty()) request.after = pages_.back().last;  // written by this thread alone
  return backend->Scan(request, deadline);
}

void UsageCount::CorrectByTold(const storage::ScanPage& page, const Page& found, Totals* totals) const {
  for (const auto& [key, told] : told_) {
    if (found.last && key > *found.last) return;
    const auto item = std::lower_bound(
        page.entries.begin(), page.entries.end(), key,
        [](const storage::KeyedEntry& entry, const std::string& wanted) { return entry.key < wanted; });
    Amount& total = (*totals)[told.name_space];
    if (item != page.entries.end() && item->key == key && OutlivesHorizon(item->entry->expires_at, found.horizon)) {
      total -= AmountOf(*item);
    }
    if (OutlivesHorizon(told.expires_at, found.horizon)) total += told.amount;
  }
}

Status UsageCount::Step(Deadline deadline) {
  {
    const std::lock_guard lock(mutex_);
    reading_ = true;
    told_.clear();
  }
  auto page = ReadPage(deadline);
  if (!page.ok()) {
    const std::lock_guard lock(mutex_);
    reading_ = false;
    told_.clear();
    return std::move(page).error();
  }
  Page found{std::nullopt, clock_.Now()};
  if (!page->complete) {
    if (page->entries.empty()) return {};  // it ended early, for its bytes or its time
    found.last = page->entries.back().key;
  }
  // A feed that is down for longer tells late, and of what it missed it says so.
  if (const auto backend = backend_.lock()) static_cast<void>(backend->AwaitListener());

  Totals totals;
  for (const storage::KeyedEntry& item : page->entries) {
    const auto place = storage::FindPlace(item.key);
    if (!place || !OutlivesHorizon(item.entry->expires_at, found.horizon)) continue;
    const auto total = totals.find(place->name_space);
    (total != totals.end() ? total->second : totals[std::string(place->name_space)]) += AmountOf(item);
  }
  const std::lock_guard lock(mutex_);
  CorrectByTold(*page, found, &totals);
  for (const auto& [name_space, amount] : totals) {
    if (amount != Amount{}) accounts_.Get(name_space).Add(amount);
  }
  last_horizon_ = std::max(last_horizon_, found.horizon);
  pages_.push_back(std::move(found));
  reading_ = false;
  told_.clear();
  scanned_.fetch_add(page->entries.size(), std::memory_order_relaxed);
  if (page->complete) complete_.store(true, std::memory_order_release);
  return {};
}

}  // namespace holdfast::tenancy
