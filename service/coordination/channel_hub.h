// Publish and subscribe within this process: a message goes to whoever is subscribed at that moment and is kept for
// nobody else. Several instances of the service are several hubs.
//
// Memory is bounded: each subscriber has a queue of its own bounds, all queues together have one, and who is too slow
// loses the oldest messages and is told how many.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics/metrics.h"

namespace holdfast::coordination {

struct ChannelOptions {
  std::size_t max_queued_messages = 256;           // of one subscriber
  std::size_t max_queued_bytes = 1u << 20;         // of one subscriber
  std::size_t max_total_queued_bytes = 64u << 20;  // of all; a message counts once for each queue it is in
};
inline constexpr std::size_t kMessageOverhead = 64;

struct Message {
  std::string channel;
  std::string content;
};
using MessagePtr = std::shared_ptr<const Message>;

class ChannelSubscription;

// Thread-safe. Owned by a shared_ptr: subscriptions keep it alive.
class ChannelHub final : public std::enable_shared_from_this<ChannelHub> {
 public:
  // `store` labels the metrics. `registry` outlives the hub.
  ChannelHub(const ChannelOptions& options, std::string_view store, metrics::Registry& registry);

  // `name` is a channel, or a pattern (glob.h) over channels. `wake` is called when Read would give something after it
  // gave nothing; on a publisher's thread, without locks, possibly after the subscription is gone.
  std::unique_ptr<ChannelSubscription> Subscribe(std::string_view name_space, std::string_view name, bool pattern,
                                                 std::function<void()> wake);
  // How many subscribers it was queued for.
  std::size_t Publish(std::string_view name_space, std::string_view channel, std::string content);

 private:
  friend class ChannelSubscription;
  using WakePtr = std::shared_ptr<const std::function<void()>>;
  using Name = std::pair<std::string, std::string>;  // namespace, channel or pattern
  using Groups = std::map<Name, std::vector<ChannelSubscription*>>;

  // With mutex_ held.
  bool Queue(ChannelSubscription& subscription, const MessagePtr& message);
  std::size_t QueueForAll(const std::vector<ChannelSubscription*>& group, const MessagePtr& message,
                          std::vector<WakePtr>* wakes);
  void DropOldest(ChannelSubscription& subscription);

  // Constant after construction.
  const ChannelOptions options_;
  metrics::Counter& published_;
  metrics::Counter& lost_;

  std::mutex mutex_;
  Groups channels_;        // guarded by mutex_
  Groups patterns_;        // guarded by mutex_
  std::size_t bytes_ = 0;  // guarded by mutex_; of all queues
};

// One subscriber's queue. Used from one thread at a time.
class ChannelSubscription {
 public:
  ~ChannelSubscription();
  ChannelSubscription(const ChannelSubscription&) = delete;
  ChannelSubscription& operator=(const ChannelSubscription&) = delete;

  struct Page {
    std::uint64_t lost = 0;  // messages dropped since the last Read, all of them older than those that follow
    std::vector<MessagePtr> messages;
    bool more = false;  // read again; otherwise `wake` is called when there is something
  };
  Page Read(std::size_t max_bytes);

 private:
  friend class ChannelHub;
  ChannelSubscription(std::shared_ptr<ChannelHub> hub, ChannelHub::Name name, bool pattern, std::function<void()> wake);

  const std::shared_ptr<ChannelHub> hub_;
  const ChannelHub::Name name_;
  const bool pattern_;
  const ChannelHub::WakePtr wake_;
  std::deque<MessagePtr> queue_;  // guarded by the hub's mutex_
  std::size_t bytes_ = 0;         // guarded by the hub's mutex_; of queue_
  std::uint64_t lost_ = 0;        // guarded by the hub's mutex_
  bool waiting_ = false;          // guarded by the hub's mutex_; the last Read gave nothing more
};

}  // namespace holdfast::coordination
