// The accounts of all namespaces, kept by listening to every change of every backend.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "service/storage/backend.h"
#include "service/storage/change_listener.h"
#include "service/tenancy/namespace_account.h"

namespace holdfast::tenancy {

// Thread-safe. An account is made when its namespace first holds something or gets a quota and kept from then on: some
// 250 bytes each. Changes are counted without a lock.
//
// A write that ended kOutcomeUnknown is not heard of; what was set aside for it stays so until the next start, which
// counts anew.
class UsageAccounts final : public storage::ChangeListener {
 public:
  explicit UsageAccounts(const Clock& clock = SystemClock()) : clock_(clock) {}
  ~UsageAccounts() override;
  UsageAccounts(const UsageAccounts&) = delete;
  UsageAccounts& operator=(const UsageAccounts&) = delete;

  // Counts what the backends hold. Nothing is counted before; so: listen first, call this once, then let writes in.
  // Between the two only the backends' own removal of expired entries may go on. Reads every key.
  Status Recount(const std::vector<std::shared_ptr<storage::Backend>>& backends, Deadline deadline);

  NamespaceAccount& Get(std::string_view name_space);
  // nullptr when there is none.
  NamespaceAccount* Find(std::string_view name_space) const;
  void ForEach(const std::function<void(NamespaceAccount&)>& visit) const;

  // Whether any namespace has a limit of bytes or keys, or a rate: one load each.
  bool any_limited() const { return any_limited_.load(std::memory_order_acquire); }
  bool any_rate() const { return any_rate_.load(std::memory_order_acquire); }
  // One at a time.
  void SetQuota(std::string_view name_space, const Quota& quota);

  void OnChange(std::string_view key, const storage::EntryPtr& before, const storage::EntryPtr& after,
                storage::ChangeCause cause) noexcept override;

 private:
  struct Node {
    explicit Node(std::string_view name_space) : account(std::string(name_space)) {}
    NamespaceAccount account;
    Node* next = nullptr;
  };
  static constexpr std::size_t kBuckets = 4096;
  static NamespaceAccount* FindFrom(Node* node, std::string_view name_space);
  std::atomic<Node*>& BucketOf(std::string_view name_space) const;
  // Whether the entry is one of those in the accounts.
  bool IsCounted(const storage::Entry& entry) const;

  const Clock& clock_;
  // Lists that only grow, at their front.
  mutable std::array<std::atomic<Node*>, kBuckets> buckets_{};
  std::atomic<bool> any_limited_{false};
  std::atomic<bool> any_rate_{false};
  // Entries that were there when the count was made and expire up to here are in no account: they had expired or were
  // about to, and whether a scan still finds such an entry is a race with the sweeper. Microseconds since the epoch;
  // before the count kNothing.
  static constexpr std::int64_t kNothing = std::numeric_limits<std::int64_t>::max();
  std::atomic<std::int64_t> horizon_{kNothing};
};

}  // namespace holdfast::tenancy
