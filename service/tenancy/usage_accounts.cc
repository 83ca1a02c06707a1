#include "service/tenancy/usage_accounts.h"

#include <algorithm>
#include <string>

#include "base/log/log.h"
#include "base/time/backoff.h"

namespace holdfast::tenancy {
namespace {

constexpr std::chrono::seconds kPageTimeout{30};
constexpr std::chrono::milliseconds kFirstRetry{100};
constexpr std::chrono::seconds kLastRetry{10};

}  // namespace

UsageAccounts::~UsageAccounts() {
  StopCount();
  for (auto& bucket : buckets_) {
    for (Node* node = bucket.load(); node != nullptr;) {
      Node* const next = node->next;
      delete node;
      node = next;
    }
  }
}

std::shared_ptr<storage::ChangeListener> UsageAccounts::Follow(const std::shared_ptr<storage::Backend>& backend) {
  counts_.push_back(std::make_unique<UsageCount>(backend, *this, clock_));
  uncounted_.fetch_add(1, std::memory_order_release);
  return {shared_from_this(), counts_.back().get()};
}

Result<bool> UsageAccounts::CountStep(Deadline deadline) {
  for (const auto& count : counts_) {
    if (count->complete()) continue;
    HOLDFAST_RETURN_IF_ERROR(count->Step(deadline));
    if (!count->complete()) return false;
    const std::lock_guard lock(count_mutex_);
    uncounted_.fetch_sub(1, std::memory_order_release);
    count_changed_.notify_all();
  }
  return true;
}

Status UsageAccounts::Count(Deadline deadline) {
  while (true) {
    HOLDFAST_ASSIGN_OR_RETURN(const bool complete, CountStep(deadline));
    if (complete) return {};
  }
}

void UsageAccounts::StartCount() {
  const std::lock_guard lock(count_mutex_);
  if (!stopping_ && !count_thread_.joinable()) count_thread_ = std::thread([this] { CountLoop(); });
}

void UsageAccounts::StopCount() {
  {
    const std::lock_guard lock(count_mutex_);
    stopping_ = true;
    count_changed_.notify_all();
  }
  if (count_thread_.joinable()) count_thread_.join();
}

void UsageAccounts::CountLoop() {
  int failures = 0;
  while (true) {
    const auto complete = CountStep(Deadline::After(kPageTimeout));
    if (complete.ok() && *complete) {
      log::Info("what namespaces use is counted", {{"entries", scanned_entries()}});
      return;
    }
    std::chrono::nanoseconds pause{0};
    if (complete.ok()) {
      failures = 0;
    } else {
      pause = ExponentialDelay(kFirstRetry, kLastRetry, failures++);
      log::Warn("counting what namespaces use failed; it is tried again", {{"error", complete.error().ToString()}});
    }
    std::unique_lock lock(count_mutex_);
    if (count_changed_.wait_for(lock, pause, [this] { return stopping_; })) return;
  }
}

bool UsageAccounts::WaitUntilCounted(Deadline deadline) {
  std::unique_lock lock(count_mutex_);
  while (!counted() && !stopping_ && !deadline.Expired()) {
    count_changed_.wait_for(lock, std::min<std::chrono::nanoseconds>(deadline.Remaining(), std::chrono::hours{1}));
  }
  return counted();
}

std::uint64_t UsageAccounts::scanned_entries() const {
  std::uint64_t entries = 0;
  for (const auto& count : counts_) entries += count->scanned();
  return entries;
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

}  // namespace holdfast::tenancy
