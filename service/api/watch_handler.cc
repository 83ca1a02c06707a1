// GET /watch: changes of keys, as events or as a long poll.
#include <fmt/format.h>

#include <charconv>
#include <mutex>

#include "base/time/duration.h"
#include "service/api/encoding.h"
#include "service/api/event_stream.h"
#include "service/api/handlers.h"
#include "service/api/item_json.h"
#include "service/execution/executor.h"
#include "service/json/json_writer.h"

namespace holdfast::api {
namespace {

using coordination::ChangeEvent;
using coordination::ChangeEventPtr;
using coordination::FeedSubscription;
using coordination::Position;

// What one look at the feed takes at most; the rest comes with the next.
constexpr std::size_t kEventsPerRead = 256;
// What one answer to a long poll holds at most.
constexpr std::size_t kEventsPerPoll = 1'000;
constexpr std::size_t kBytesPerPoll = 1u << 20;

std::string_view NameOf(ChangeEvent::Kind kind) {
  switch (kind) {
    case ChangeEvent::Kind::kPut:
      return "put";
    case ChangeEvent::Kind::kExpire:
      return "expire";
    case ChangeEvent::Kind::kDelete:
    case ChangeEvent::Kind::kEvict:
      break;
  }
  return "delete";
}

// As lists show an entry; of one that is gone, what it was called and which version went.
void WriteChange(const storage::KeySpace& space, const ChangeEvent& event, json::DocumentWriter* json) {
  const std::string_view key = space.Unwrap(event.key);
  if (event.entry != nullptr) return WriteItem(key, *event.entry, event.entry->value.size(), true, json);
  const bool is_text = IsValidUtf8(key);
  json->BeginObject().Key("key").String(is_text ? std::string(key) : Base64Encode(key));
  if (!is_text) json->Key("encoding").String("base64");
  json->Key("etag").String(std::to_string(event.version));
  if (event.kind == ChangeEvent::Kind::kEvict) json->Key("evicted").Bool(true);
  json->EndObject();
}

class WatchStream final : public EventStream {
 public:
  WatchStream(Exchange& exchange, SubscriberSlot slot, std::string_view prefix, std::optional<Position> since)
      : EventStream(exchange, std::move(slot)),
        space_(exchange.tenant().key_space),
        subscription_(exchange.store().coordination->feed().Subscribe(space_.Wrap(prefix), since,
                                                                      [waker = waker()] { waker->Wake(); })) {}

 protected:
  bool Produce(std::string* out, std::size_t most) override {
    const FeedSubscription::Page page = subscription_->Read(kEventsPerRead, most);
    position_ = page.position;
    if (page.compacted) {
      json::JsonWriter json;
      const std::string position = std::to_string(page.position);
      json.BeginObject().Key("position").String(position).EndObject();
      AppendEvent("compacted", position, json.Take(), out);
    }
    for (const ChangeEventPtr& event : page.events) {
      json::JsonWriter json;
      WriteChange(space_, *event, &json);
      AppendEvent(NameOf(event->kind), std::to_string(event->position), json.Take(), out);
    }
    return page.more;
  }
  std::string CurrentId() override { return position_ ? std::to_string(*position_) : std::string(); }

 private:
  const storage::KeySpace space_;
  const std::unique_ptr<FeedSubscription> subscription_;
  std::optional<Position> position_;
};

// One answer, as soon as there is something to tell or the time is up.
class LongPoll : public std::enable_shared_from_this<LongPoll> {
 public:
  LongPoll(std::shared_ptr<Exchange> exchange, SubscriberSlot slot)
      : exchange_(std::move(exchange)), coordination_(exchange_->store().coordination), slot_(std::move(slot)) {}
  ~LongPoll() { coordination_->timers().Cancel(timer_); }

  void Run(std::string_view prefix, std::optional<Position> since, std::chrono::steady_clock::time_point until) {
    exchange_->WhenGone([poll = weak_from_this()] { OnPool(poll, &LongPoll::Leave); });
    std::unique_lock lock(mutex_);
    subscription_ = coordination_->feed().Subscribe(exchange_->tenant().key_space.Wrap(prefix), since,
                                                    [poll = weak_from_this()] { OnPool(poll, &LongPoll::LookAgain); });
    if (until <= std::chrono::steady_clock::now()) return Look(true);
    // Holds the poll, which nobody else does; the answer cancels it.
    timer_ = coordination_->timers().At(until, [poll = shared_from_this()] { OnPool(poll, &LongPoll::LookLast); });
    Look(false);
  }

 private:
  // Writing a page takes too long for the threads that wake.
  static void OnPool(const std::weak_ptr<LongPoll>& waiting, void (LongPoll::*step)()) {
    const auto poll = waiting.lock();
    if (poll == nullptr) return;
    const auto run = [poll, step] {
      std::lock_guard lock(poll->mutex_);
      ((*poll).*step)();
    };
    if (!poll->executor_->Run(run)) run();  // a full pool makes it slow, not wrong
  }

  // These with mutex_ held.
  void LookAgain() { Look(false); }
  void LookLast() { Look(true); }
  // The client is gone: without this its place and its subscription would last as long as it wanted to wait.
  void Leave() {
    answered_ = true;
    subscription_.reset();
    coordination_->timers().Cancel(timer_);
  }

  void Look(bool is_last) {
    if (answered_) return;
    FeedSubscription::Page page;
    do {
      page = subscription_->Read(kEventsPerPoll, kBytesPerPoll);
    } while (page.more && page.events.empty() && !page.compacted);
    if (page.events.empty() && !page.compacted && !is_last) return;
    answered_ = true;
    json::JsonWriter json;
    json.BeginObject().Key("events").BeginArray();
    for (const ChangeEventPtr& event : page.events) {
      json.BeginObject().Key("event").String(NameOf(event->kind));
      json.Key("position").String(std::to_string(event->position)).Key("item");
      WriteChange(exchange_->tenant().key_space, *event, &json);
      json.EndObject();
    }
    json.EndArray().Key("position").String(std::to_string(page.position));
    json.Key("compacted").Bool(page.compacted).EndObject();
    exchange_->SendJson(200, json.Take());
    coordination_->timers().Cancel(timer_);
  }

  const std::shared_ptr<Exchange> exchange_;
  const std::shared_ptr<coordination::StoreCoordination> coordination_;
  const std::shared_ptr<execution::Executor> executor_ = exchange_->store().executor;
  const SubscriberSlot slot_;
  std::mutex mutex_;
  std::unique_ptr<FeedSubscription> subscription_;  // guarded by mutex_
  coordination::TimerQueue::Id timer_ = 0;          // guarded by mutex_
  bool answered_ = false;                           // guarded by mutex_
};

Error Invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

// Last-Event-ID is what a client that reconnects by itself sends along with the address it was given first.
Result<std::optional<Position>> ReadSince(const Exchange& exchange, const Request& request) {
  std::string_view name = "the header Last-Event-ID";
  std::string_view text;
  if (const std::string_view* const header = request.Find("Last-Event-ID"); header != nullptr && !header->empty()) {
    text = *header;
  } else if (const std::string* const since = exchange.query().Find("since"); since != nullptr && !since->empty()) {
    name = "since";
    text = *since;
  } else {
    return std::optional<Position>();
  }
  Position position = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), position);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Invalid(fmt::format("{}: is not a position; give the id of an event, or nothing to begin now", name));
  }
  return std::optional(position);
}

Result<std::optional<std::chrono::microseconds>> ReadWait(const Exchange& exchange) {
  const std::string* const text = exchange.query().Find("wait");
  if (text == nullptr) return std::optional<std::chrono::microseconds>();
  const auto parsed = ParseDuration(*text);
  if (!parsed.ok()) return Invalid("wait: is not a duration; write one like 500ms, 30s or 5m");
  const auto wait = *parsed;
  const auto longest = exchange.context().options.maximum_timeout;
  if (wait > longest) {
    return Invalid(fmt::format("wait: is above the maximum of {} (setting timeouts.maximum); ask again when it is over",
                               FormatDuration(longest)));
  }
  return std::optional(wait);
}

}  // namespace

void GetWatch(ExchangePtr exchange) {
  const auto since = ReadSince(*exchange, exchange->request());
  if (!since.ok()) return exchange->Fail(since.error());
  const auto wait = ReadWait(*exchange);
  if (!wait.ok()) return exchange->Fail(wait.error());
  const std::string* const given = exchange->query().Find("prefix");
  const std::string prefix = given != nullptr ? *given : std::string();
  SubscriberSlot slot = TakeSlot(*exchange, exchange->store().coordination->watch_gauge());
  if (slot == nullptr) return;
  if (!wait->has_value()) {
    return SendEvents(*exchange, std::make_shared<WatchStream>(*exchange, std::move(slot), prefix, *since));
  }
  auto until = std::chrono::steady_clock::now() + **wait;
  if (exchange->headers().timeout) until = std::min(until, exchange->deadline().WaitUntil());
  const auto poll = std::make_shared<LongPoll>(std::move(exchange), std::move(slot));
  poll->Run(prefix, *since, until);
}

}  // namespace holdfast::api
