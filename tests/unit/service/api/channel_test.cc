#include "tests/unit/service/api/api_harness.h"
#include "tests/unit/service/api/event_reader.h"

namespace holdfast::api {
namespace {

class ChannelApiTest : public testing::Test {
 protected:
  EventReader Subscribe(const std::string& name, const HeaderList& headers = {}) {
    const Answer answer = api_->Send("GET", "/v1/stores/main/channels/" + name, headers);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.content_type, "text/event-stream");
    return EventReader(answer.stream);
  }
  int Publish(const std::string& channel, const std::string& message, const HeaderList& headers = {}) {
    const Answer answer = api_->Send("POST", "/v1/stores/main/channels/" + channel, headers, message);
    EXPECT_EQ(answer.status, 202) << answer.body;
    return answer.Json().at("receivers");
  }

  std::unique_ptr<ApiHarness> api_ = std::make_unique<ApiHarness>();
};

TEST_F(ChannelApiTest, MessagesReachWhoeverIsSubscribed) {
  EXPECT_EQ(Publish("news", "nobody listens"), 0);
  EventReader first = Subscribe("news");
  EventReader second = Subscribe("news");
  EventReader other = Subscribe("sports");
  EXPECT_EQ(Publish("news", "hello"), 2);
  EXPECT_EQ(Publish("news", "hello", {{"Holdfast-Namespace", "other"}}), 0);
  for (EventReader* reader : {&first, &second}) {
    const ServerEvent event = reader->Next();
    EXPECT_EQ(event.event, "message");
    EXPECT_EQ(event.data, "hello");
    EXPECT_FALSE(reader->HasEvent());
  }
  EXPECT_FALSE(other.HasEvent());
}

TEST_F(ChannelApiTest, MessagesComeBackByteForByte) {
  EventReader reader = Subscribe("a");
  for (const std::string& message : {std::string("two\nlines\n"), std::string("\n"), std::string(),
                                     std::string(" x: y"), std::string("{\"a\":1}"), std::string("\0", 1)}) {
    Publish("a", message);
    const ServerEvent event = reader.Next();
    EXPECT_EQ(event.event, "message");
    EXPECT_EQ(event.data, message);
  }
  Publish("a", "carriage\rreturn");
  Publish("a", "\xff");
  const ServerEvent carriage = reader.Next();
  EXPECT_EQ(carriage.event, "base64");
  EXPECT_EQ(carriage.data, "Y2FycmlhZ2UNcmV0dXJu");
  EXPECT_EQ(reader.Next().data, "/w==");
}

TEST_F(ChannelApiTest, PatternsNameTheChannel) {
  EventReader reader = Subscribe("news.*?pattern=true");
  EXPECT_EQ(Publish("news.eu", "hello"), 1);
  EXPECT_EQ(Publish("sports", "hello"), 0);
  EXPECT_EQ(Publish("news.%ff", "x"), 1);
  EXPECT_EQ(reader.Next().Json(), (nlohmann::json{{"channel", "news.eu"}, {"message", "hello"}}));
  EXPECT_EQ(reader.Next().Json(),
            (nlohmann::json{{"channel", "bmV3cy7/"}, {"encoding", "base64"}, {"message", "eA=="}}));
}

TEST_F(ChannelApiTest, ASlowSubscriberIsToldHowManyItLost) {
  ApiHarness::Options options;
  options.coordination.channels.max_queued_messages = 2;
  api_ = std::make_unique<ApiHarness>(options);
  EventReader reader = Subscribe("a");
  for (int i = 0; i < 5; ++i) Publish("a", std::to_string(i));
  const ServerEvent lagged = reader.Next();
  EXPECT_EQ(lagged.event, "lagged");
  EXPECT_EQ(lagged.Json(), (nlohmann::json{{"lost", 3}}));
  EXPECT_EQ(reader.Next().data, "3");
  EXPECT_EQ(reader.Next().data, "4");
}

TEST_F(ChannelApiTest, HeartbeatsKeepItOpen) {
  ApiHarness::Options options;
  options.coordination.heartbeat = std::chrono::milliseconds{10};
  api_ = std::make_unique<ApiHarness>(options);
  EventReader reader = Subscribe("a");
  EXPECT_EQ(reader.NextBlock()->comment, "open");
  EXPECT_EQ(reader.NextBlock()->comment, "heartbeat");
  EXPECT_EQ(reader.NextBlock()->comment, "heartbeat");
}

TEST_F(ChannelApiTest, RefusesWhatIsNotValid) {
  const Answer large = api_->Send("POST", "/v1/stores/main/channels/a", {}, std::string((64 << 10) + 1, 'x'));
  EXPECT_EQ(large.status, 413);
  EXPECT_EQ(large.Json().at("limit"), 64 << 10);
  EXPECT_EQ(api_->MaxBodyBytes("POST", "/v1/stores/main/channels/a"), 64u << 10);
  EXPECT_EQ(api_->Send("GET", "/v1/stores/main/channels/a?pattern=yes").status, 400);
  EXPECT_EQ(api_->Send("GET", "/v1/stores/main/channels/").status, 400);
  EXPECT_EQ(api_->Send("PUT", "/v1/stores/main/channels/a").status, 405);
}

}  // namespace
}  // namespace holdfast::api
