#include "service/coordination/store_coordination.h"

#include "service/storage/listener_fanout.h"

namespace holdfast::coordination {

StoreCoordination::StoreCoordination(std::shared_ptr<SharedCoordination> shared, std::string_view store,
                                     std::shared_ptr<Locks> locks, const Clock& clock, metrics::Registry& registry)
    : shared_(std::move(shared)),
      clock_(clock),
      watch_gauge_(registry.GetGauge("holdfast_watch_subscribers", "Open watches of keys, long polls included.",
                                     {{"store", std::string(store)}})),
      channel_gauge_(registry.GetGauge("holdfast_channels_subscribers", "Open subscriptions to channels.",
                                       {{"store", std::string(store)}})),
      election_gauge_(registry.GetGauge("holdfast_elections_observers", "Open observations of elections.",
                                        {{"store", std::string(store)}})),
      kept_locks_(std::move(locks)),
      locks_(
          std::make_shared<LockService>(shared_->options.locks, store, kept_locks_, clock, shared_->timers, registry)),
      feed_(std::make_shared<ChangeFeed>(shared_->options.feed, store, clock)),
      leaders_(std::make_shared<LeaderFeed>()),
      channels_(std::make_shared<ChannelHub>(shared_->options.channels, store, registry)) {}

std::shared_ptr<storage::ChangeListener> StoreCoordination::listener() const {
  return std::make_shared<storage::ListenerFanout>(
      std::vector<std::shared_ptr<storage::ChangeListener>>{feed_, locks_, leaders_});
}

void StoreCoordination::Stop() {
  locks_->Stop();
  feed_->Stop();
}

}  // namespace holdfast::coordination
