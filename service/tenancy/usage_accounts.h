// The accounts of all namespaces, kept by listening to every change of every backend.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result/result.h"
#include "service/storage/backend.h"
#include "service/storage/change_listener.h"
#include "service/tenancy/namespace_account.h"
#include "service/tenancy/usage_count.h"

namespace holdfast::tenancy {

// Thread-safe. An account is made when its namespace first holds something or gets a quota and kept from then on: some
// 250 bytes each. Changes are counted without a lock.
//
// The accounts are not stored: every start counts what the backends hold, which reads all their keys, in the background
// and while they are written to (usage_count.h). Until then usage is too low and counted() is false; QuotaBackend lets
// no limited namespace grow so long.
//
// A write that ended kOutcomeUnknown is not heard of; what was set aside for it stays so until the next start, which
// counts anew.
class UsageAccounts final : public std::enable_shared_from_this<UsageAccounts> {
 public:
  explicit UsageAccounts(const Clock& clock = SystemClock()) : clock_(clock) {}
  ~UsageAccounts();
  UsageAccounts(const UsageAccounts&) = delete;
  UsageAccounts& operator=(const UsageAccounts&) = delete;

  // Takes the backend in. What is returned must hear of its changes before anything is asked of it, and keeps the
  // accounts alive. Before the count is started.
  std::shared_ptr<storage::ChangeListener> Follow(const std::shared_ptr<storage::Backend>& backend);

  // Counts all that are followed, in a thread of its own, once; a page that cannot be read is tried again until it can.
  void StartCount();
  // Waits for the page in progress. Idempotent; before the backends close.
  void StopCount();
  // The same here and now; the first error ends it.
  Status Count(Deadline deadline);
  // Whether usage is all there is.
  bool counted() const { return uncounted_.load(std::memory_order_acquire) == 0; }
  // counted(), or false at the deadline.
  bool WaitUntilCounted(Deadline deadline);
  std::uint64_t scanned_entries() const;

  NamespaceAccount& Get(std::string_view name_space);
  // nullptr when there is none.
  NamespaceAccount* Find(std::string_view name_space) const;
  void ForEach(const std::function<void(NamespaceAccount&)>& visit) const;

  // Whether any namespace has a limit of bytes or keys, or a rate: one load each.
  bool any_limited() const { return any_limited_.load(std::memory_order_acquire); }
  bool any_rate() const { return any_rate_.load(std::memory_order_acquire); }
  // One at a time.
  void SetQuota(std::string_view name_space, const Quota& quota);

 private:
  struct Node {
    explicit Node(std::string_view name_space) : account(std::string(name_space)) {}
    NamespaceAccount account;
    Node* next = nullptr;
  };
  static constexpr std::size_t kBuckets = 4096;
  static NamespaceAccount* FindFrom(Node* node, std::string_view name_space);
  std::atomic<Node*>& BucketOf(std::string_view name_space) const;
  // One page of one backend; true when everything has been counted.
  Result<bool> CountStep(Deadline deadline);
  void CountLoop();

  const Clock& clock_;
  // Lists that only grow, at their front.
  mutable std::array<std::atomic<Node*>, kBuckets> buckets_{};
  std::atomic<bool> any_limited_{false};
  std::atomic<bool> any_rate_{false};

  std::vector<std::unique_ptr<UsageCount>> counts_;  // constant once the count is started
  std::atomic<std::size_t> uncounted_{0};            // of them
  std::mutex count_mutex_;
  std::condition_variable count_changed_;
  bool stopping_ = false;  // guarded by count_mutex_
  std::thread count_thread_;
};

}  // namespace holdfast::tenancy
