#include "service/tenancy/usage_accounts.h"

#include <map>
#include <string>

namespace holdfast::tenancy {
namespace {

using std::chrono::microseconds;

// How far ahead of the end of a count the horizon is set: the time it takes to set it, generously.
constexpr std::chrono::seconds kMargin{1};
// Entries that expire within this are remembered one by one while counting, as some expire before it ends.
constexpr std::chrono::minutes kFirstWindow{10};

std::int64_t Microseconds(Timestamp when) {
  return when.time_since_epoch().count();
}

// One count of what the backends hold.
struct Count {
  explicit Count(Timestamp end) : window_end(end) {}

  void Add(const storage::KeyedEntry& item) {
    const auto place = storage::FindPlace(item.key);
    if (!place) return;
    const Amount amount = AmountOf(*place, *item.entry, item.value_bytes);
    Amount& total = totals[std::string(place->name_space)];
    total += amount;
    if (item.entry->expires_at && *item.entry->expires_at <= window_end) {
      soon.push_back({*item.entry->expires_at, amount, &total});
    }
  }
  void LeaveOut(Timestamp horizon) {
    for (const Soon& row : soon) {
      if (row.expires_at <= horizon) *row.total -= row.amount;
    }
  }

  struct Soon {
    Timestamp expires_at;
    Amount amount;
    Amount* total;
  };
  const Timestamp window_end;
  std::map<std::string, Amount> totals;
  std::vector<Soon> soon;
};

Status CountAll(storage::Backend& backend, Deadline deadline, Count* count) {
  storage::ScanRequest request;
  request.keys_only = true;
  request.limit = backend.limits().max_scan_entries;
  while (true) {
    HOLDFAST_ASSIGN_OR_RETURN(storage::ScanPage page, backend.Scan(request, deadline));
    for (const storage::KeyedEntry& item : page.entries) count->Add(item);
    if (page.complete) return {};
    if (!page.entries.empty()) request.after = page.entries.back().key;
  }
}

}  // namespace

UsageAccounts::~UsageAccounts() {
  for (auto& bucket : buckets_) {
    for (Node* node = bucket.load(); node != nullptr;) {
      Node* const next = node->next;
      delete node;
      node = next;
    }
  }
}

Status UsageAccounts::Recount(const std::vector<std::shared_ptr<storage::Backend>>& backends, Deadline deadline) {
  for (microseconds window = kFirstWindow;; window *= 4) {
    Count count(clock_.Now() + window);
    for (const auto& backend : backends) {
      HOLDFAST_RETURN_IF_ERROR(CountAll(*backend, deadline, &count));
    }
    const Timestamp horizon = clock_.Now() + kMargin;
    if (horizon > count.window_end) continue;  // it took longer than what was remembered reaches
    horizon_.store(Microseconds(horizon), std::memory_order_release);
    if (clock_.Now() > horizon) {  // what the sweeper removed in between may be in the count
      horizon_.store(kNothing, std::memory_order_release);
      continue;
    }
    count.LeaveOut(horizon);
    for (const auto& [name_space, amount] : count.totals) Get(name_space).Add(amount);
    return {};
  }
}

std::atomic<UsageAccounts::Node*>& UsageAccounts::BucketOf(std::string_view name_space) const {
  return buckets_[std::hash<std::string_view>()(name_space) % kBuckets];
}

NamespaceAccount* UsageAccounts::FindFrom(Node* node, std::string_view name_space) {
  for (; node != nullptr; node = node->next) {
    if (node->account.name_space() == name_space) return &node->account;
  }
  return nullptr;
}

NamespaceAccount* UsageAccounts::Find(std::string_view name_space) const {
  return FindFrom(BucketOf(name_space).load(std::memory_order_acquire), name_space);
}

NamespaceAccount& UsageAccounts::Get(std::string_view name_space) {
  std::atomic<Node*>& bucket = BucketOf(name_space);
  Node* first = bucket.load(std::memory_order_acquire);
  if (NamespaceAccount* account = FindFrom(first, name_space)) return *account;
  auto node = std::make_unique<Node>(name_space);
  while (true) {
    node->next = first;
    if (bucket.compare_exchange_strong(first, node.get(), std::memory_order_acq_rel)) return node.release()->account;
    // Another thread has put one in front; it may be this one.
    if (NamespaceAccount* account = FindFrom(first, name_space)) return *account;
  }
}

void UsageAccounts::ForEach(const std::function<void(NamespaceAccount&)>& visit) const {
  for (auto& bucket : buckets_) {
    for (Node* node = bucket.load(std::memory_order_acquire); node != nullptr; node = node->next) visit(node->account);
  }
}

void UsageAccounts::SetQuota(std::string_view name_space, const Quota& quota) {
  Get(name_space).SetQuota(quota);
  bool limited = false;
  bool rate = false;
  ForEach([&](NamespaceAccount& account) {
    limited = limited || account.limited();
    rate = rate || account.quota().requests_per_second.has_value();
  });
  any_limited_.store(limited, std::memory_order_release);
  any_rate_.store(rate, std::memory_order_release);
}

bool UsageAccounts::IsCounted(const storage::Entry& entry) const {
  const std::int64_t horizon = horizon_.load(std::memory_order_acquire);
  if (horizon == kNothing) return false;
  if (!entry.expires_at || Microseconds(*entry.expires_at) > horizon) return true;
  return Microseconds(entry.updated_at + kMargin) >= horizon;  // written since
}

void UsageAccounts::OnChange(std::string_view key, const storage::EntryPtr& before, const storage::EntryPtr& after,
                             storage::ChangeCause) noexcept {
  const auto place = storage::FindPlace(key);
  if (!place) return;
  Amount change;
  if (after != nullptr && IsCounted(*after)) change += AmountOf(*place, *after, after->value.size());
  if (before != nullptr && IsCounted(*before)) change -= AmountOf(*place, *before, before->value.size());
  if (change != Amount{}) Get(place->name_space).Add(change);
}

}  // namespace holdfast::tenancy
