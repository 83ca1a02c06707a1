// What coordinates the clients of one store, put together.
#pragma once

#include <chrono>
#include <memory>
#include <string_view>

#include "base/metrics/metrics.h"
#include "base/time/clock.h"
#include "service/coordination/change_feed.h"
#include "service/coordination/channel_hub.h"
#include "service/coordination/leader_feed.h"
#include "service/coordination/lock_service.h"
#include "service/coordination/subscriber_limits.h"
#include "service/coordination/timer_queue.h"

namespace holdfast::coordination {

struct CoordinationOptions {
  LockOptions locks;
  std::size_t max_owner_bytes = 256;  // of a lock or an election: 400
  FeedOptions feed;
  ChannelOptions channels;
  std::size_t max_message_bytes = 64u << 10;  // published to a channel: 413
  SubscriberLimits::Options subscribers;      // of all stores together
  std::chrono::microseconds heartbeat = std::chrono::seconds{15};
};

// Shared by the stores of a process.
struct SharedCoordination {
  explicit SharedCoordination(const CoordinationOptions& of)
      : options(of), subscribers(std::make_shared<SubscriberLimits>(of.subscribers)) {}

  const CoordinationOptions options;
  const std::shared_ptr<SubscriberLimits> subscribers;
  TimerQueue timers;
};

// Thread-safe; immutable but for what its members guard themselves.
class StoreCoordination {
 public:
  // `clock` and `registry` outlive it. `locks`: where they are kept.
  StoreCoordination(std::shared_ptr<SharedCoordination> shared, std::string_view store, std::shared_ptr<Locks> locks,
                    const Clock& clock, metrics::Registry& registry);
  // Locks in the store's own backend.
  StoreCoordination(std::shared_ptr<SharedCoordination> shared, std::string_view store, const Clock& clock,
                    metrics::Registry& registry)
      : StoreCoordination(std::move(shared), store, MakeRowLocks(clock), clock, registry) {}
  ~StoreCoordination() { Stop(); }

  const CoordinationOptions& options() const { return shared_->options; }
  const Clock& clock() const { return clock_; }
  TimerQueue& timers() const { return shared_->timers; }
  SubscriberLimits& subscribers() const { return *shared_->subscribers; }
  // To be asked without waiting; LockService for what may wait.
  Locks& kept_locks() const { return *kept_locks_; }
  LockService& locks() const { return *locks_; }
  ChangeFeed& feed() const { return *feed_; }
  LeaderFeed& leaders() const { return *leaders_; }
  ChannelHub& channels() const { return *channels_; }
  metrics::Gauge& watch_gauge() const { return watch_gauge_; }
  metrics::Gauge& channel_gauge() const { return channel_gauge_; }
  metrics::Gauge& election_gauge() const { return election_gauge_; }

  // To be told of every change of the store's backend.
  std::shared_ptr<storage::ChangeListener> listener() const;
  // Answers those who wait for a lock; watches stay quiet. Idempotent.
  void Stop();

 private:
  const std::shared_ptr<SharedCoordination> shared_;
  const Clock& clock_;
  metrics::Gauge& watch_gauge_;
  metrics::Gauge& channel_gauge_;
  metrics::Gauge& election_gauge_;
  const std::shared_ptr<Locks> kept_locks_;
  const std::shared_ptr<LockService> locks_;
  const std::shared_ptr<ChangeFeed> feed_;
  const std::shared_ptr<LeaderFeed> leaders_;
  const std::shared_ptr<ChannelHub> channels_;
};

}  // namespace holdfast::coordination
