#include "service/api/event_stream.h"

#include <fmt/format.h>

namespace holdfast::api {

void AppendEvent(std::string_view event, std::string_view id, std::string_view data, std::string* out) {
  out->append("event: ").append(event).push_back('\n');
  if (!id.empty()) out->append("id: ").append(id).push_back('\n');
  for (bool more = true; more;) {
    const std::size_t end = data.find('\n');
    more = end != std::string_view::npos;
    out->append("data: ").append(data.substr(0, end)).push_back('\n');
    if (more) data.remove_prefix(end + 1);
  }
  out->push_back('\n');
}

void Waker::Set(std::function<void()> wake) {
  std::lock_guard lock(mutex_);
  wake_ = std::make_shared<const std::function<void()>>(std::move(wake));
}

void Waker::Wake() {
  std::shared_ptr<const std::function<void()>> wake;
  {
    std::lock_guard lock(mutex_);
    wake = wake_;
  }
  if (wake != nullptr) (*wake)();
}

SubscriberSlot TakeSlot(Exchange& exchange, metrics::Gauge& gauge) {
  coordination::SubscriberLimits& limits = exchange.store().coordination->subscribers();
  auto taken = limits.Take(exchange.tenant().name_space, gauge);
  if (auto* const slot = std::get_if<SubscriberSlot>(&taken)) return std::move(*slot);
  if (std::get<coordination::SubscriberLimits::Refusal>(taken) == coordination::SubscriberLimits::Refusal::kNamespace) {
    exchange.Fail("rate_limited", fmt::format("the namespace has {} streams open, which is the limit (setting "
                                              "streams.per_namespace); close some",
                                              limits.options().max_per_namespace));
  } else {
    exchange.Fail("unavailable",
                  fmt::format("the service has {} streams open, which is the limit (setting streams.total); try later",
                              limits.options().max_total));
  }
  return nullptr;
}

EventStream::EventStream(Exchange& exchange, SubscriberSlot slot)
    : coordination_(exchange.store().coordination),
      slot_(std::move(slot)),
      end_(exchange.headers().timeout ? std::optional(exchange.deadline()) : std::nullopt) {}

EventStream::~EventStream() {
  coordination_->timers().Cancel(heartbeat_timer_);
  coordination_->timers().Cancel(end_timer_);
}

void EventStream::Start(std::function<void()> wake) {
  waker_->Set(std::move(wake));
  ArmHeartbeat();
  if (end_) end_timer_ = coordination_->timers().At(end_->WaitUntil(), [waker = waker_] { waker->Wake(); });
}

void EventStream::ArmHeartbeat() {
  const auto when = std::chrono::steady_clock::now() + coordination_->options().heartbeat;
  heartbeat_timer_ = coordination_->timers().At(when, [due = heartbeat_due_, waker = waker_] {
    *due = true;
    waker->Wake();
  });
}

BodyStream::State EventStream::Pull(std::string* out, std::size_t most) {
  if (end_ && end_->Expired()) return State::kEnd;
  const bool more = Produce(out, most);
  if (!greeted_) {
    greeted_ = true;
    AppendComment("open", out);
  }
  if (more) return State::kMore;
  if (heartbeat_due_->exchange(false)) {
    AppendComment("heartbeat", out);
    ArmHeartbeat();
  }
  return State::kWait;
}

// An event without data is dispatched to nobody, but its id is kept for a reconnect.
void EventStream::AppendComment(std::string_view comment, std::string* out) {
  out->append(": ").append(comment).push_back('\n');
  if (const std::string id = CurrentId(); !id.empty()) out->append("id: ").append(id).push_back('\n');
  out->push_back('\n');
}

void SendEvents(Exchange& exchange, std::shared_ptr<EventStream> stream) {
  Response response;
  response.content_type = "text/event-stream";
  response.headers.emplace_back("Cache-Control", "no-store");
  response.stream = std::move(stream);
  exchange.Send(std::move(response));
}

}  // namespace holdfast::api
