#include "service/coordination/channel_hub.h"

#include <algorithm>
#include <utility>

#include "service/coordination/glob.h"

namespace holdfast::coordination {
namespace {

std::size_t BytesOf(const Message& message) {
  return kMessageOverhead + message.channel.size() + message.content.size();
}

}  // namespace

ChannelHub::ChannelHub(const ChannelOptions& options, std::string_view store, metrics::Registry& registry)
    : options_(options),
      published_(registry.GetCounter("holdfast_channels_messages_total", "Messages published to channels.",
                                     {{"store", std::string(store)}})),
      lost_(registry.GetCounter("holdfast_channels_lost_total", "Messages that a subscriber was too slow for.",
                                {{"store", std::string(store)}})) {}

std::unique_ptr<ChannelSubscription> ChannelHub::Subscribe(std::string_view name_space, std::string_view name,
                                                           bool pattern, std::function<void()> wake) {
  std::unique_ptr<ChannelSubscription> subscription(new ChannelSubscription(
      shared_from_this(), {std::string(name_space), std::string(name)}, pattern, std::move(wake)));
  std::lock_guard lock(mutex_);
  (pattern ? patterns_ : channels_)[subscription->name_].push_back(subscription.get());
  return subscription;
}

std::size_t ChannelHub::Publish(std::string_view name_space, std::string_view channel, std::string content) {
  const auto message = std::make_shared<const Message>(Message{std::string(channel), std::move(content)});
  std::vector<WakePtr> wakes;
  std::size_t receivers = 0;
  {
    std::lock_guard lock(mutex_);
    const auto exact = channels_.find({std::string(name_space), message->channel});
    if (exact != channels_.end()) receivers += QueueForAll(exact->second, message, &wakes);
    for (auto group = patterns_.lower_bound({std::string(name_space), std::string()});
         group != patterns_.end() && group->first.first == name_space; ++group) {
      if (MatchesGlob(group->first.second, channel)) receivers += QueueForAll(group->second, message, &wakes);
    }
  }
  published_.Increment();
  for (const WakePtr& wake : wakes) (*wake)();
  return receivers;
}

std::size_t ChannelHub::QueueForAll(const std::vector<ChannelSubscription*>& group, const MessagePtr& message,
                                    std::vector<WakePtr>* wakes) {
  std::size_t receivers = 0;
  for (ChannelSubscription* const subscription : group) {
    if (Queue(*subscription, message)) ++receivers;
    if (!subscription->waiting_) continue;
    subscription->waiting_ = false;
    wakes->push_back(subscription->wake_);
  }
  return receivers;
}

bool ChannelHub::Queue(ChannelSubscription& subscription, const MessagePtr& message) {
  const std::size_t bytes = BytesOf(*message);
  const auto fits = [&] {
    return subscription.queue_.size() < options_.max_queued_messages &&
           subscription.bytes_ + bytes <= options_.max_queued_bytes &&
           bytes_ + bytes <= options_.max_total_queued_bytes;
  };
  while (!fits() && !subscription.queue_.empty()) DropOldest(subscription);
  if (!fits()) {
    ++subscription.lost_;
    lost_.Increment();
    return false;
  }
  subscription.queue_.push_back(message);
  subscription.bytes_ += bytes;
  bytes_ += bytes;
  return true;
}

void ChannelHub::DropOldest(ChannelSubscription& subscription) {
  const std::size_t bytes = BytesOf(*subscription.queue_.front());
  subscription.queue_.pop_front();
  subscription.bytes_ -= bytes;
  bytes_ -= bytes;
  ++subscription.lost_;
  lost_.Increment();
}

ChannelSubscription::ChannelSubscription(std::shared_ptr<ChannelHub> hub, ChannelHub::Name name, bool pattern,
                                         std::function<void()> wake)
    : hub_(std::move(hub)),
      name_(std::move(name)),
      pattern_(pattern),
      wake_(std::make_shared<const std::function<void()>>(std::move(wake))) {}

ChannelSubscription::~ChannelSubscription() {
  std::lock_guard lock(hub_->mutex_);
  hub_->bytes_ -= bytes_;
  ChannelHub::Groups& groups = pattern_ ? hub_->patterns_ : hub_->channels_;
  const auto group = groups.find(name_);
  std::erase(group->second, this);
  if (group->second.empty()) groups.erase(group);
}

ChannelSubscription::Page ChannelSubscription::Read(std::size_t max_bytes) {
  Page page;
  std::size_t bytes = 0;
  std::lock_guard lock(hub_->mutex_);
  page.lost = std::exchange(lost_, 0);
  while (!queue_.empty() && bytes < max_bytes) {
    bytes += BytesOf(*queue_.front());
    page.messages.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  bytes_ -= bytes;
  hub_->bytes_ -= bytes;
  page.more = !queue_.empty();
  waiting_ = !page.more;
  return page;
}

}  // namespace holdfast::coordination
