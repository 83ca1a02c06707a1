// What changed in a store lately: a bounded ring of events that any number of watchers read at their own pace.
//
// Events are numbered without gaps; a number is a position. Positions start at the wall clock's microseconds times a
// thousand, so those of an earlier run of the process lie below, and one of another instance is never mistaken for one
// of this feed's. A watcher is a position and a prefix and nothing else: one that is too slow falls off the end of the
// ring and is told so, memory does not grow.
//
// The feed records from the first subscription on. Nothing can have been promised to anybody before, and a store that
// nobody watches pays nothing.
//
// Changes of one key come in their order. Several changes of a key that reached the backend in one batch may be one
// event. A touch is a put of the same version. An entry found expired where a new one is written has expired first.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/time/clock.h"
#include "service/storage/change_listener.h"

namespace holdfast::coordination {

using Position = std::uint64_t;

struct ChangeEvent {
  enum class Kind { kPut, kDelete, kExpire, kEvict };
  Kind kind = Kind::kPut;
  Position position = 0;
  std::string key;           // in the backend
  storage::EntryPtr entry;   // kPut: what stands there now; else null
  storage::Version version;  // of that entry, or of the one that went
};
using ChangeEventPtr = std::shared_ptr<const ChangeEvent>;

struct FeedOptions {
  std::size_t max_events = 65'536;
  std::size_t max_bytes = 64u << 20;  // keys, values and kEventOverhead for each event
};
inline constexpr std::size_t kEventOverhead = 160;

class FeedSubscription;

// Thread-safe. Owned by a shared_ptr: subscriptions keep it alive. Listens to a backend that may hold other stores as
// well; only what clients PUT into this one is recorded.
class ChangeFeed final : public storage::ChangeListener, public std::enable_shared_from_this<ChangeFeed> {
 public:
  ChangeFeed(const FeedOptions& options, std::string_view store, const Clock& clock);
  ~ChangeFeed() override { Stop(); }

  // Reads changes of keys that begin with `prefix` (in the backend), from behind `since`, or from now on. `wake` is
  // called when Read would give something after it gave nothing; on a thread of the feed's own, without locks, possibly
  // after the subscription is gone.
  std::unique_ptr<FeedSubscription> Subscribe(std::string prefix, std::optional<Position> since,
                                              std::function<void()> wake);
  // The newest event's.
  Position head() const;
  // Nobody is woken any more. Idempotent; must have been called when the last owner may be a subscription.
  void Stop();

  void OnChange(std::string_view key, const storage::EntryPtr& before, const storage::EntryPtr& after,
                storage::ChangeCause cause) noexcept override;
  // Everybody is told that the history is gone.
  void OnMissed() noexcept override;

 private:
  friend class FeedSubscription;
  using WakePtr = std::shared_ptr<const std::function<void()>>;

  // Subscriptions to one prefix.
  struct Group {
    std::string prefix;
    std::size_t members = 0;
    std::vector<FeedSubscription*> waiting;
  };

  // With mutex_ held.
  Position first() const { return head_ - ring_.size() + 1; }
  void Append(std::shared_ptr<ChangeEvent> event);
  void WakeWaiting(Group& group, Position position, std::vector<WakePtr>* wakes);
  void MatchAll(std::vector<WakePtr>* wakes);
  void Loop();

  // Constant after construction.
  const FeedOptions options_;
  const std::string store_prefix_;
  const Clock& clock_;

  std::atomic<bool> recording_{false};

  mutable std::mutex mutex_;
  std::condition_variable changed_;  // the matcher: events to look at, or the end
  std::deque<ChangeEventPtr> ring_;  // guarded by mutex_; first() to head_
  std::size_t bytes_ = 0;            // guarded by mutex_; of ring_
  Position head_;                    // guarded by mutex_
  Position matched_;                 // guarded by mutex_; up to here waiters were looked up
  std::unordered_map<std::string, std::unique_ptr<Group>> groups_;  // guarded by mutex_; by prefix
  std::map<std::size_t, std::size_t> lengths_;  // guarded by mutex_; how many groups have that length
  std::size_t waiting_ = 0;                     // guarded by mutex_; subscriptions in groups' waiting
  bool stopping_ = false;                       // guarded by mutex_
  std::thread matcher_;                         // started by the first subscription
};

// One watcher's place. Used from one thread at a time.
class FeedSubscription {
 public:
  ~FeedSubscription();
  FeedSubscription(const FeedSubscription&) = delete;
  FeedSubscription& operator=(const FeedSubscription&) = delete;

  struct Page {
    // The history from where this subscription stood is gone, or was never this feed's: what happened up to `position`
    // is not known. No events then.
    bool compacted = false;
    std::vector<ChangeEventPtr> events;
    Position position = 0;  // everything up to here has been given
    bool more = false;      // read again; otherwise `wake` is called when there is something
  };
  Page Read(std::size_t max_events, std::size_t max_bytes);

 private:
  friend class ChangeFeed;
  FeedSubscription(std::shared_ptr<ChangeFeed> feed, std::function<void()> wake);
  void StopWaiting();  // with the feed's mutex_ held

  const std::shared_ptr<ChangeFeed> feed_;
  const ChangeFeed::WakePtr wake_;
  ChangeFeed::Group* group_ = nullptr;  // constant after Subscribe
  Position next_ = 0;                   // guarded by the feed's mutex_
  bool unknown_ = false;                // guarded by the feed's mutex_; `since` was not this feed's
  bool waiting_ = false;                // guarded by the feed's mutex_
};

}  // namespace holdfast::coordination
