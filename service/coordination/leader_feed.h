// Who leads an election, as it changes: the newest state of a lock row for each observer. Changes that an observer was
// too slow for are skipped, the last one never is.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "service/coordination/lock.h"
#include "service/storage/change_listener.h"

namespace holdfast::coordination {

class LeaderSubscription;

// Thread-safe. Owned by a shared_ptr: subscriptions keep it alive.
class LeaderFeed final : public storage::ChangeListener, public std::enable_shared_from_this<LeaderFeed> {
 public:
  // `key` is that of the lock row in the backend. `wake` is called when Read may give something after it gave nothing;
  // by whoever made the change and under the backend's locks, so it must do no more than pass the news on; possibly
  // after the subscription is gone.
  std::unique_ptr<LeaderSubscription> Subscribe(std::string key, std::function<void()> wake);

  void OnChange(std::string_view key, const storage::EntryPtr& before, const storage::EntryPtr& after,
                storage::ChangeCause cause) noexcept override;

 private:
  friend class LeaderSubscription;
  using WakePtr = std::shared_ptr<const std::function<void()>>;

  std::atomic<std::size_t> observers_{0};
  std::mutex mutex_;
  std::unordered_map<std::string, std::vector<LeaderSubscription*>> by_key_;  // guarded by mutex_
};

// One observer. Used from one thread at a time.
class LeaderSubscription {
 public:
  ~LeaderSubscription();
  LeaderSubscription(const LeaderSubscription&) = delete;
  LeaderSubscription& operator=(const LeaderSubscription&) = delete;

  // What a read of the row gave that was begun after Subscribe; ignored when a change has been heard of since.
  void Begin(std::optional<Holder> leader);

  struct News {
    std::optional<Holder> leader;  // nullopt: nobody leads
  };
  // Nothing when the leader is still the one that was given last, or is not known yet. A leader that has only extended
  // its lease is the same.
  std::optional<News> Read();

 private:
  friend class LeaderFeed;
  LeaderSubscription(std::shared_ptr<LeaderFeed> feed, std::string key, std::function<void()> wake);

  const std::shared_ptr<LeaderFeed> feed_;
  const std::string key_;
  const LeaderFeed::WakePtr wake_;
  bool known_ = false;                       // guarded by the feed's mutex_
  std::optional<Holder> leader_;             // guarded by the feed's mutex_
  std::optional<std::uint64_t> last_token_;  // of what Read gave last; 0 = nobody
};

}  // namespace holdfast::coordination
