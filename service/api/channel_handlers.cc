// Channels: publish and subscribe, within this process.
#include <fmt/format.h>

#include "service/api/encoding.h"
#include "service/api/event_stream.h"
#include "service/api/handlers.h"
#include "service/json/json_writer.h"

namespace holdfast::api {
namespace {

class ChannelStream final : public EventStream {
 public:
  ChannelStream(Exchange& exchange, SubscriberSlot slot, std::string_view name, bool pattern)
      : EventStream(exchange, std::move(slot)),
        pattern_(pattern),
        subscription_(exchange.store().coordination->channels().Subscribe(exchange.tenant().name_space, name, pattern,
                                                                          [waker = waker()] { waker->Wake(); })) {}

 protected:
  bool Produce(std::string* out, std::size_t most) override {
    const auto page = subscription_->Read(most);
    if (page.lost > 0) {
      json::JsonWriter json;
      json.BeginObject().Key("lost").Unsigned(page.lost).EndObject();
      AppendEvent("lagged", "", json.Take(), out);
    }
    for (const coordination::MessagePtr& message : page.messages) {
      if (pattern_) {
        AppendNamed(*message, out);
      } else {
        AppendBare(*message, out);
      }
    }
    return page.more;
  }

 private:
  // A line feed ends a line of the event and comes back as it was; a carriage return would come back as a line feed.
  static void AppendBare(const coordination::Message& message, std::string* out) {
    if (IsValidUtf8(message.content) && message.content.find('\r') == std::string::npos) {
      return AppendEvent("message", "", message.content, out);
    }
    AppendEvent("base64", "", Base64Encode(message.content), out);
  }

  static void AppendNamed(const coordination::Message& message, std::string* out) {
    const bool is_text = IsValidUtf8(message.channel) && IsValidUtf8(message.content);
    json::JsonWriter json;
    json.BeginObject();
    json.Key("channel").String(is_text ? message.channel : Base64Encode(message.channel));
    if (!is_text) json.Key("encoding").String("base64");
    json.Key("message").String(is_text ? message.content : Base64Encode(message.content)).EndObject();
    AppendEvent("message", "", json.Take(), out);
  }

  const bool pattern_;
  const std::unique_ptr<coordination::ChannelSubscription> subscription_;
};

}  // namespace

void PostChannel(ExchangePtr exchange) {
  const coordination::StoreCoordination& coordination = *exchange->store().coordination;
  std::string message = std::move(exchange->request().body);
  const std::size_t limit = coordination.options().max_message_bytes;
  if (message.size() > limit) {
    Problem problem = Problem::Of(
        "too_large",
        fmt::format("the message has {} bytes; the limit is {} (setting channels.message)", message.size(), limit));
    problem.limit = limit;
    return exchange->Fail(problem);
  }
  const std::size_t receivers =
      coordination.channels().Publish(exchange->tenant().name_space, exchange->key(), std::move(message));
  json::JsonWriter json;
  json.BeginObject().Key("receivers").Unsigned(receivers).EndObject();
  exchange->SendJson(202, json.Take());
}

void GetChannel(ExchangePtr exchange) {
  const std::string* const pattern = exchange->query().Find("pattern");
  if (pattern != nullptr && *pattern != "true" && *pattern != "false") {
    return exchange->Fail("invalid_argument", "the query parameter \"pattern\" is neither true nor false");
  }
  SubscriberSlot slot = TakeSlot(*exchange, exchange->store().coordination->channel_gauge());
  if (slot == nullptr) return;
  auto stream = std::make_shared<ChannelStream>(*exchange, std::move(slot), exchange->key(),
                                                pattern != nullptr && *pattern == "true");
  SendEvents(*exchange, std::move(stream));
}

}  // namespace holdfast::api
