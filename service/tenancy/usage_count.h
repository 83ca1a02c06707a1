// Counts what one backend holds while it is being written to.
//
// The backend is scanned page by page, in the order of keys. Changes of keys behind the place the scan has come to go
// to the accounts as they are told; those ahead are left to the scan. Between the two: what is told while a page is
// read is kept, and of a key of the page the state told last stands, whatever the page shows. What a page has shown is
// told by then, for the backend is waited for (Backend::AwaitListener); otherwise it would be counted and told once
// more later.
//
// An entry that has expired is scanned no more and still told of when it is removed. So each page has a horizon, the
// moment when it had been read: what expires up to there is in no account, whether scanned or told.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "base/time/deadline.h"
#include "service/storage/backend.h"
#include "service/storage/change_listener.h"
#include "service/tenancy/namespace_account.h"

namespace holdfast::tenancy {

class UsageAccounts;

// Thread-safe; Step from one thread at a time. Once complete, a change is counted without a lock.
class UsageCount final : public storage::ChangeListener {
 public:
  // It is the backend's listener, or among its listeners, before anything is asked of the backend.
  UsageCount(std::weak_ptr<storage::Backend> backend, UsageAccounts& accounts, const Clock& clock)
      : backend_(std::move(backend)), accounts_(accounts), clock_(clock) {}

  // Counts the next page. After an error nothing of it is counted, and it may be tried again.
  Status Step(Deadline deadline);
  bool complete() const { return complete_.load(std::memory_order_acquire); }
  // Entries scanned so far.
  std::uint64_t scanned() const { return scanned_.load(std::memory_order_relaxed); }

  void OnChange(std::string_view key, const storage::EntryPtr& before, const storage::EntryPtr& after,
                storage::ChangeCause cause) noexcept override;

 private:
  struct Page {
    std::optional<std::string> last;  // its last key; nullopt: there is none behind
    Timestamp horizon;
  };
  // What a key has come to, as told.
  struct Told {
    std::string name_space;
    Amount amount;
    std::optional<Timestamp> expires_at;
  };
  using Totals = std::map<std::string, Amount, std::less<>>;

  // Whether the entry is in an account; the key lies within the pages.
  bool IsCounted(std::string_view key, const storage::Entry& entry) const;
  void Apply(std::string_view key, const storage::KeyPlace& place, const storage::EntryPtr& before,
             const storage::EntryPtr& after);
  Result<storage::ScanPage> ReadPage(Deadline deadline) const;
  // Under mutex_.
  bool IsBehind(std::string_view key) const;
  void CorrectByTold(const storage::ScanPage& page, const Page& found, Totals* totals) const;

  const std::weak_ptr<storage::Backend> backend_;
  UsageAccounts& accounts_;
  const Clock& clock_;
  std::atomic<bool> complete_{false};
  std::atomic<std::uint64_t> scanned_{0};

  std::mutex mutex_;  // until complete
  // Guarded by mutex_, constant once complete; apart, in the order of keys.
  std::vector<Page> pages_;
  Timestamp last_horizon_{};                       // likewise; the latest of pages_
  bool reading_ = false;                           // guarded by mutex_
  std::map<std::string, Told, std::less<>> told_;  // guarded by mutex_; since the page was begun
};

}  // namespace holdfast::tenancy
