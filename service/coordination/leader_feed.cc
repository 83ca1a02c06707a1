#include "service/coordination/leader_feed.h"

#include "service/storage/key_space.h"

namespace holdfast::coordination {

std::unique_ptr<LeaderSubscription> LeaderFeed::Subscribe(std::string key, std::function<void()> wake) {
  std::unique_ptr<LeaderSubscription> subscription(
      new LeaderSubscription(shared_from_this(), std::move(key), std::move(wake)));
  std::lock_guard lock(mutex_);
  by_key_[subscription->key_].push_back(subscription.get());
  observers_.fetch_add(1, std::memory_order_release);
  return subscription;
}

void LeaderFeed::OnChange(std::string_view key, const storage::EntryPtr& /*before*/, const storage::EntryPtr& after,
                          storage::ChangeCause /*cause*/) noexcept {
  if (observers_.load(std::memory_order_acquire) == 0) return;
  const auto place = storage::FindPlace(key);
  if (!place || place->room != storage::Room::kLocks) return;
  std::optional<Holder> leader;
  if (after != nullptr) {
    auto row = LockRow::Decode(after->value);
    if (row) leader = Holder{std::move(row->owner), row->token, after->expires_at.value_or(Timestamp{})};
  }
  std::vector<WakePtr> wakes;
  {
    std::lock_guard lock(mutex_);
    const auto found = by_key_.find(std::string(key));
    if (found == by_key_.end()) return;
    for (LeaderSubscription* const subscription : found->second) {
      subscription->known_ = true;
      subscription->leader_ = leader;
      wakes.push_back(subscription->wake_);
    }
  }
  for (const WakePtr& wake : wakes) (*wake)();
}

LeaderSubscription::LeaderSubscription(std::shared_ptr<LeaderFeed> feed, std::string key, std::function<void()> wake)
    : feed_(std::move(feed)),
      key_(std::move(key)),
      wake_(std::make_shared<const std::function<void()>>(std::move(wake))) {}

LeaderSubscription::~LeaderSubscription() {
  std::lock_guard lock(feed_->mutex_);
  feed_->observers_.fetch_sub(1, std::memory_order_release);
  const auto found = feed_->by_key_.find(key_);
  std::erase(found->second, this);
  if (found->second.empty()) feed_->by_key_.erase(found);
}

void LeaderSubscription::Begin(std::optional<Holder> leader) {
  std::lock_guard lock(feed_->mutex_);
  if (known_) return;
  known_ = true;
  leader_ = std::move(leader);
}

std::optional<LeaderSubscription::News> LeaderSubscription::Read() {
  std::lock_guard lock(feed_->mutex_);
  if (!known_) return std::nullopt;
  const std::uint64_t token = leader_ ? leader_->token : 0;
  if (last_token_ == token) return std::nullopt;
  last_token_ = token;
  return News{leader_};
}

}  // namespace holdfast::coordination
