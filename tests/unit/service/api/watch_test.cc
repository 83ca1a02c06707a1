#include "tests/unit/service/api/api_harness.h"
#include "tests/unit/service/api/event_reader.h"

namespace holdfast::api {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class WatchApiTest : public testing::Test {
 protected:
  void Use(const ApiHarness::Options& options) { api_ = std::make_unique<ApiHarness>(options); }
  EventReader Watch(const std::string& query, const HeaderList& headers = {}) {
    const Answer answer = api_->Send("GET", "/v1/stores/main/watch" + query, headers);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.content_type, "text/event-stream");
    EXPECT_EQ(answer.Header("Cache-Control"), "no-store");
    return EventReader(answer.stream);
  }
  Answer Put(const std::string& key, const std::string& value, const HeaderList& headers = {}) {
    return api_->Send("PUT", "/v1/stores/main/keys/" + key, headers, value);
  }
  Answer Poll(const std::string& query) { return api_->Send("GET", "/v1/stores/main/watch" + query); }

  std::unique_ptr<ApiHarness> api_ = std::make_unique<ApiHarness>();
};

TEST_F(WatchApiTest, TellsOfPutsDeletesAndExpiry) {
  EventReader watch = Watch("?prefix=a");
  const std::string etag = Put("a1", "one", {{"Holdfast-TTL", "5s"}, {"Content-Type", "text/plain"}}).Header("ETag");
  Put("b", "other");
  const ServerEvent put = watch.Next();
  EXPECT_EQ(put.event, "put");
  EXPECT_FALSE(put.id.empty());
  EXPECT_EQ(put.Json().at("key"), "a1");
  EXPECT_EQ(put.Json().at("value"), "one");
  EXPECT_EQ(put.Json().at("content_type"), "text/plain");
  EXPECT_EQ("\"" + put.Json().at("etag").get<std::string>() + "\"", etag);
  EXPECT_TRUE(put.Json().contains("expires_at"));
  api_->clock().Advance(seconds{5});
  const ServerEvent expire = watch.Next();
  EXPECT_EQ(expire.event, "expire");
  EXPECT_EQ(expire.Json(), (nlohmann::json{{"key", "a1"}, {"etag", put.Json().at("etag")}}));
  Put("a2", "two");
  EXPECT_EQ(watch.Next().event, "put");
  api_->Send("DELETE", "/v1/stores/main/keys/a2");
  EXPECT_EQ(watch.Next().event, "delete");
}

TEST_F(WatchApiTest, WhatIsNoTextIsInBase64) {
  EventReader watch = Watch("");
  Put("a", "\xff");
  Put("%ff", "text");
  api_->Send("DELETE", "/v1/stores/main/keys/%ff");
  const auto value = watch.Next().Json();
  EXPECT_EQ(value.at("encoding"), "base64");
  EXPECT_EQ(value.at("key"), "YQ==");
  EXPECT_EQ(value.at("value"), "/w==");
  EXPECT_EQ(watch.Next().Json().at("key"), "/w==");
  const auto gone = watch.Next().Json();
  EXPECT_EQ(gone.at("encoding"), "base64");
  EXPECT_EQ(gone.at("key"), "/w==");
}

TEST_F(WatchApiTest, IsWithinTheNamespaceAndItsKeys) {
  EventReader watch = Watch("");
  api_->Send("PUT", "/v1/stores/main/keys/a", {{"Holdfast-Namespace", "other"}}, "x");
  api_->Send("POST", "/v1/stores/main/locks/a", {}, R"({"owner":"me"})");
  Put("mine", "x");
  EXPECT_EQ(watch.Next().Json().at("key"), "mine");
}

TEST_F(WatchApiTest, ResumesWithLastEventIdOrSince) {
  EventReader watch = Watch("");
  EXPECT_EQ(watch.NextBlock()->comment, "open");
  const std::string start = watch.last_id();
  EXPECT_NE(start, "") << "a client must be able to resume before it has seen an event";
  Put("a", "1");
  Put("b", "2");
  const ServerEvent first = watch.Next();
  EventReader resumed = Watch("", {{"Last-Event-ID", first.id}});
  EXPECT_EQ(resumed.Next().Json().at("key"), "b");
  EXPECT_EQ(Watch("?since=" + first.id).Next().Json().at("key"), "b");
  EXPECT_EQ(Watch("?since=" + start).Next().Json().at("key"), "a");
  EXPECT_EQ(Watch("?since=" + start, {{"Last-Event-ID", first.id}}).Next().Json().at("key"), "b");
  EXPECT_EQ(first.id, Watch("?since=" + start).Next().id);
}

TEST_F(WatchApiTest, HistoryThatIsGoneIsSaidSoAndTheStreamGoesOn) {
  EventReader watch = Watch("?since=7");
  const ServerEvent compacted = watch.Next();
  EXPECT_EQ(compacted.event, "compacted");
  EXPECT_EQ(compacted.id, compacted.Json().at("position"));
  Put("a", "1");
  EXPECT_EQ(watch.Next().event, "put");
}

TEST_F(WatchApiTest, ASlowWatcherIsTold) {
  ApiHarness::Options options;
  options.coordination.feed.max_events = 4;
  Use(options);
  EventReader watch = Watch("");
  watch.NextBlock();
  for (int i = 0; i < 10; ++i) Put("a", std::to_string(i));
  EXPECT_EQ(watch.Next().event, "compacted");
  Put("a", "last");
  EXPECT_EQ(watch.Next().Json().at("value"), "last");
}

TEST_F(WatchApiTest, HeartbeatsAreCommentsWithThePosition) {
  ApiHarness::Options options;
  options.coordination.heartbeat = milliseconds{20};
  Use(options);
  EventReader watch = Watch("?prefix=quiet");
  EXPECT_EQ(watch.NextBlock()->comment, "open");
  Put("loud", "x");
  const std::string before = watch.last_id();
  // The position moves on although nothing of this prefix happened.
  for (int i = 0; i < 1000 && watch.last_id() == before; ++i) {
    const auto block = watch.NextBlock();
    ASSERT_TRUE(block.has_value());
    EXPECT_EQ(block->comment, "heartbeat");
  }
  EXPECT_GT(watch.last_id(), before);
}

TEST_F(WatchApiTest, EndsAtTheTimeoutThatWasAskedFor) {
  EventReader watch = Watch("", {{"Holdfast-Timeout", "30ms"}});
  while (const auto block = watch.NextBlock()) EXPECT_NE(block->comment, "");
}

TEST_F(WatchApiTest, LongPollAnswersWithTheFirstChanges) {
  const auto poll = api_->Begin("GET", "/v1/stores/main/watch?prefix=a&wait=5m");
  Put("b", "other");
  EXPECT_FALSE(poll->IsAnswered());
  Put("a", "1");
  const Answer answer = poll->Get();
  ASSERT_EQ(answer.status, 200);
  EXPECT_EQ(answer.content_type, "application/json");
  const auto json = answer.Json();
  ASSERT_EQ(json.at("events").size(), 1u);
  EXPECT_EQ(json.at("events")[0].at("event"), "put");
  EXPECT_EQ(json.at("events")[0].at("item").at("value"), "1");
  EXPECT_EQ(json.at("compacted"), false);
  Put("a", "2");
  Put("a", "3");
  const auto next = Poll("?prefix=a&wait=5m&since=" + json.at("position").get<std::string>()).Json();
  ASSERT_EQ(next.at("events").size(), 2u);
  EXPECT_EQ(next.at("events")[1].at("item").at("value"), "3");
  EXPECT_EQ(next.at("events")[1].at("position"), next.at("position"));
}

TEST_F(WatchApiTest, LongPollIsEmptyWhenNothingHappens) {
  for (const char* query : {"?wait=20ms", "?wait=0"}) {
    const auto json = Poll(query).Json();
    EXPECT_EQ(json.at("events").size(), 0u);
    EXPECT_NE(json.at("position"), "");
  }
  const auto cut = api_->Send("GET", "/v1/stores/main/watch?wait=5m", {{"Holdfast-Timeout", "20ms"}});
  EXPECT_EQ(cut.status, 200);
  EXPECT_EQ(Poll("?wait=5m&since=7").Json().at("compacted"), true);
}

TEST_F(WatchApiTest, StreamsAreBoundedPerNamespaceAndInAll) {
  ApiHarness::Options options;
  options.coordination.subscribers = {.max_total = 3, .max_per_namespace = 2};
  Use(options);
  const auto open = [&](const char* name_space) {
    return api_->Send("GET", "/v1/stores/main/watch", {{"Holdfast-Namespace", name_space}});
  };
  std::vector<Answer> kept{open("a"), open("a")};
  const Answer limited = open("a");
  EXPECT_EQ(limited.status, 429);
  EXPECT_NE(limited.Header("Retry-After"), "");
  kept.push_back(open("b"));
  EXPECT_EQ(open("c").status, 503);
  const auto gauge = [&] {
    return api_->registry().GetGauge("holdfast_watch_subscribers", "", {{"store", "main"}}).Value();
  };
  EXPECT_EQ(gauge(), 3);
  kept.clear();
  EXPECT_EQ(gauge(), 0);
  EXPECT_EQ(open("c").status, 200);
}

TEST_F(WatchApiTest, RefusesWhatIsNotValid) {
  for (const char* query : {"?since=x", "?since=-1", "?since=99999999999999999999", "?wait=x", "?wait=6m", "?foo=1"}) {
    EXPECT_EQ(Poll(query).status, 400) << query;
  }
  EXPECT_EQ(api_->Send("GET", "/v1/stores/main/watch", {{"Last-Event-ID", "x"}}).status, 400);
  EXPECT_EQ(api_->Send("POST", "/v1/stores/main/watch").status, 405);
}

TEST_F(WatchApiTest, AThousandWatchersHearOfOneChange) {
  std::vector<std::unique_ptr<EventReader>> watchers;
  for (int i = 0; i < 1'000; ++i) {
    watchers.push_back(std::make_unique<EventReader>(api_->Send("GET", "/v1/stores/main/watch?prefix=a").stream));
    watchers.back()->NextBlock();
  }
  Put("a", "1");
  for (const auto& watcher : watchers) EXPECT_EQ(watcher->Next().Json().at("value"), "1");
}

}  // namespace
}  // namespace holdfast::api
