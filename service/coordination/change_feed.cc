#include "service/coordination/change_feed.h"

#include <algorithm>

#include "service/storage/decision.h"
#include "service/storage/key_space.h"

namespace holdfast::coordination {
namespace {

// How much is looked through in one go while writers wait for the lock.
constexpr Position kEventsPerLock = 512;

std::size_t BytesOf(const ChangeEvent& event) {
  std::size_t bytes = kEventOverhead + event.key.size();
  if (event.entry != nullptr) {
    const storage::Entry& entry = *event.entry;
    bytes += entry.value.size() + entry.metadata.size() + entry.content_type.size();
    for (const std::string& tag : entry.tags) bytes += sizeof(std::string) + tag.size();
  }
  return bytes;
}

std::shared_ptr<ChangeEvent> MakeEvent(ChangeEvent::Kind kind, std::string_view key, const storage::EntryPtr& entry) {
  auto event = std::make_shared<ChangeEvent>();
  event->kind = kind;
  event->key = key;
  if (kind == ChangeEvent::Kind::kPut) event->entry = entry;
  event->version = entry->version;
  return event;
}

}  // namespace

ChangeFeed::ChangeFeed(const FeedOptions& options, std::string_view store, const Clock& clock)
    : options_(options),
      store_prefix_(std::string(store) + '\0'),
      clock_(clock),
      head_(static_cast<Position>(std::max<std::int64_t>(clock.Now().time_since_epoch().count(), 1)) * 1000),
      matched_(head_) {}

void ChangeFeed::Stop() {
  std::thread matcher;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    matcher.swap(matcher_);
  }
  changed_.notify_one();
  if (matcher.joinable()) matcher.join();
}

std::unique_ptr<FeedSubscription> ChangeFeed::Subscribe(std::string prefix, std::optional<Position> since,
                                                        std::function<void()> wake) {
  std::unique_ptr<FeedSubscription> subscription(new FeedSubscription(shared_from_this(), std::move(wake)));
  std::lock_guard lock(mutex_);
  recording_.store(true, std::memory_order_release);
  if (!matcher_.joinable() && !stopping_) matcher_ = std::thread([this] { Loop(); });
  std::unique_ptr<Group>& group = groups_[prefix];
  if (group == nullptr) {
    group = std::make_unique<Group>();
    ++lengths_[prefix.size()];
    group->prefix = std::move(prefix);
  }
  ++group->members;
  subscription->group_ = group.get();
  const Position from = since.value_or(head_);
  subscription->unknown_ = from + 1 < first() || from > head_;
  subscription->next_ = from + 1;
  return subscription;
}

Position ChangeFeed::head() const {
  std::lock_guard lock(mutex_);
  return head_;
}

void ChangeFeed::OnChange(std::string_view key, const storage::EntryPtr& before, const storage::EntryPtr& after,
                          storage::ChangeCause cause) noexcept {
  if (!recording_.load(std::memory_order_acquire) || !key.starts_with(store_prefix_)) return;
  const auto place = storage::FindPlace(key);
  if (!place || place->room != storage::Room::kKeys) return;

  std::shared_ptr<ChangeEvent> gone;
  const bool expired =
      before != nullptr && (cause == storage::ChangeCause::kExpired ||
                            storage::IsExpired(*before, after != nullptr ? after->updated_at : clock_.Now()));
  if (expired) {
    gone = MakeEvent(ChangeEvent::Kind::kExpire, key, before);
  } else if (before != nullptr && after == nullptr) {
    const bool evicted = cause == storage::ChangeCause::kEvicted;
    gone = MakeEvent(evicted ? ChangeEvent::Kind::kEvict : ChangeEvent::Kind::kDelete, key, before);
  }
  std::shared_ptr<ChangeEvent> put;
  if (after != nullptr) put = MakeEvent(ChangeEvent::Kind::kPut, key, after);

  bool anybody_waits = false;
  {
    std::lock_guard lock(mutex_);
    if (gone != nullptr) Append(std::move(gone));
    if (put != nullptr) Append(std::move(put));
    anybody_waits = waiting_ > 0;
  }
  if (anybody_waits) changed_.notify_one();
}

void ChangeFeed::OnMissed() noexcept {
  if (!recording_.load(std::memory_order_acquire)) return;
  {
    std::lock_guard lock(mutex_);
    ring_.clear();
    bytes_ = 0;
    // A position that nobody can have read stands for what was missed.
    ++head_;
  }
  changed_.notify_one();
}

void ChangeFeed::Append(std::shared_ptr<ChangeEvent> event) {
  event->position = ++head_;
  bytes_ += BytesOf(*event);
  ring_.push_back(std::move(event));
  // The newest one stays, however large it is: those who keep up hear of it.
  while (ring_.size() > 1 && (ring_.size() > options_.max_events || bytes_ > options_.max_bytes)) {
    bytes_ -= BytesOf(*ring_.front());
    ring_.pop_front();
  }
}

void ChangeFeed::Loop() {
  std::vector<WakePtr> wakes;
  std::unique_lock lock(mutex_);
  while (true) {
    // While nobody waits there is nobody to look up, and who begins to wait has read up to the head.
    changed_.wait(lock, [this] { return stopping_ || (waiting_ > 0 && matched_ < head_); });
    if (stopping_) return;
    MatchAll(&wakes);
    if (wakes.empty()) continue;
    lock.unlock();
    for (const WakePtr& wake : wakes) (*wake)();
    wakes.clear();
    lock.lock();
  }
}

// Looks up who waits for the next events.
void ChangeFeed::MatchAll(std::vector<WakePtr>* wakes) {
  if (matched_ + 1 < first()) {
    // Forgotten before they were looked at: everybody has to find out for himself.
    for (const auto& [prefix, group] : groups_) WakeWaiting(*group, matched_ + 1, wakes);
    matched_ = head_;
    return;
  }
  const Position until = std::min(head_, matched_ + kEventsPerLock);
  while (matched_ < until && waiting_ > 0) {
    ++matched_;
    const std::string_view key = ring_[static_cast<std::size_t>(matched_ - first())]->key;
    for (const auto& [length, count] : lengths_) {
      if (length > key.size()) break;
      const auto group = groups_.find(std::string(key.substr(0, length)));
      if (group != groups_.end()) WakeWaiting(*group->second, matched_, wakes);
    }
  }
}

// They start reading at `position`, so what lies before it may be forgotten without them having missed anything.
void ChangeFeed::WakeWaiting(Group& group, Position position, std::vector<WakePtr>* wakes) {
  waiting_ -= std::erase_if(group.waiting, [&](FeedSubscription* subscription) {
    if (subscription->next_ > position) return false;  // read before it began to wait
    subscription->next_ = position;
    subscription->waiting_ = false;
    wakes->push_back(subscription->wake_);
    return true;
  });
}

FeedSubscription::FeedSubscription(std::shared_ptr<ChangeFeed> feed, std::function<void()> wake)
    : feed_(std::move(feed)), wake_(std::make_shared<const std::function<void()>>(std::move(wake))) {}

FeedSubscription::~FeedSubscription() {
  std::lock_guard lock(feed_->mutex_);
  StopWaiting();
  if (--group_->members > 0) return;
  const auto length = feed_->lengths_.find(group_->prefix.size());
  if (--length->second == 0) feed_->lengths_.erase(length);
  feed_->groups_.erase(feed_->groups_.find(group_->prefix));
}

void FeedSubscription::StopWaiting() {
  if (!waiting_) return;
  waiting_ = false;
  // What has been looked up was none of its events.
  next_ = std::max(next_, feed_->matched_ + 1);
  --feed_->waiting_;
  std::vector<FeedSubscription*>& all = group_->waiting;
  *std::find(all.begin(), all.end(), this) = all.back();
  all.pop_back();
}

FeedSubscription::Page FeedSubscription::Read(std::size_t max_events, std::size_t max_bytes) {
  Page page;
  std::size_t bytes = 0;
  std::lock_guard lock(feed_->mutex_);
  StopWaiting();
  const Position head = feed_->head_;
  if (unknown_ || next_ < feed_->first()) {
    unknown_ = false;
    next_ = head + 1;
    page.compacted = true;
    page.position = head;
    page.more = true;
    return page;
  }
  const Position until = std::min(head, next_ + kEventsPerLock - 1);
  const std::string& prefix = group_->prefix;
  for (; next_ <= until && page.events.size() < max_events && bytes < max_bytes; ++next_) {
    const ChangeEventPtr& event = feed_->ring_[static_cast<std::size_t>(next_ - feed_->first())];
    if (!std::string_view(event->key).starts_with(prefix)) continue;
    bytes += BytesOf(*event);
    page.events.push_back(event);
  }
  page.position = next_ - 1;
  page.more = next_ <= head;
  if (!page.more) {
    waiting_ = true;
    if (feed_->waiting_++ == 0) feed_->matched_ = head;  // what came before needs no looking up
    group_->waiting.push_back(this);
  }
  return page;
}

}  // namespace holdfast::coordination
