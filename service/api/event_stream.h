// Server-sent events (WHATWG HTML, "Server-sent events") as a body that is pulled: what watches, channels and elections
// have in common. Heartbeats are comments, so that clients and proxies see that the connection lives.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/time/deadline.h"
#include "service/api/exchange.h"
#include "service/coordination/store_coordination.h"

namespace holdfast::api {

// Appends one event; `id` may be empty. Each line of `data` becomes a line of the event.
void AppendEvent(std::string_view event, std::string_view id, std::string_view data, std::string* out);

// Passes a subscription's wake-ups on to the connection, once there is one. Thread-safe.
class Waker {
 public:
  void Set(std::function<void()> wake);
  void Wake();

 private:
  std::mutex mutex_;
  std::shared_ptr<const std::function<void()>> wake_;  // guarded by mutex_
};

using SubscriberSlot = std::unique_ptr<coordination::SubscriberLimits::Slot>;
// Null when there are too many already; then the exchange has been answered.
SubscriberSlot TakeSlot(Exchange& exchange, metrics::Gauge& gauge);

class EventStream : public BodyStream {
 public:
  // Ends by itself at the Holdfast-Timeout, if the request has one.
  EventStream(Exchange& exchange, SubscriberSlot slot);
  ~EventStream() override;
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;

  void Start(std::function<void()> wake) final;
  State Pull(std::string* out, std::size_t most) final;

  const std::shared_ptr<Waker>& waker() const { return waker_; }

 protected:
  // Appends what there is, roughly up to `most` bytes. True: there is more. False: the waker is woken when there is.
  virtual bool Produce(std::string* out, std::size_t most) = 0;
  // The id that goes with comments: where a client resumes that saw nothing behind what Produce has given.
  virtual std::string CurrentId() { return {}; }

 private:
  void AppendComment(std::string_view comment, std::string* out);
  void ArmHeartbeat();

  const std::shared_ptr<coordination::StoreCoordination> coordination_;
  const SubscriberSlot slot_;
  const std::optional<Deadline> end_;
  const std::shared_ptr<Waker> waker_ = std::make_shared<Waker>();
  bool greeted_ = false;
  // Shared with the timer's task instead of the stream itself: held there it could end on the timers' thread, when what
  // it uses is gone already.
  const std::shared_ptr<std::atomic<bool>> heartbeat_due_ = std::make_shared<std::atomic<bool>>(false);
  coordination::TimerQueue::Id heartbeat_timer_ = 0;
  coordination::TimerQueue::Id end_timer_ = 0;
};

// 200 and the stream.
void SendEvents(Exchange& exchange, std::shared_ptr<EventStream> stream);

}  // namespace holdfast::api
