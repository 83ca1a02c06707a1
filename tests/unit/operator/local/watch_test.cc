#include <gmock/gmock.h>

#include <deque>
#include <thread>

#include "base/http/http_client.h"
#include "tests/unit/operator/local/api_server_fixture.h"

namespace holdfast::local {
namespace {

using testing::ElementsAre;

// A watch over a real connection; events are read as they come.
class Watcher {
 public:
  Watcher(std::uint16_t port, const std::string& target)
      : client_(Options(port)), thread_([this, target](std::stop_token stop) {
          http::ClientRequest request;
          request.target = target;
          auto end = client_.Stream(request, {}, stop, [this](std::string_view line) {
            std::lock_guard lock(mutex_);
            events_.push_back(Json::parse(line));
            came_.notify_all();
            return true;
          });
          std::lock_guard lock(mutex_);
          ended_ = true;
          came_.notify_all();
        }) {}

  // "ADDED a@12"; empty when none came in time, "end" when the stream has ended.
  std::string Next() {
    std::unique_lock lock(mutex_);
    came_.wait_for(lock, std::chrono::seconds(60), [&] { return !events_.empty() || ended_; });
    if (events_.empty()) return ended_ ? "end" : "";
    last_ = events_.front();
    events_.pop_front();
    return TextAt(last_, {"type"}) + " " + NameOf(last_["object"]);
  }
  const Json& last() const { return last_; }

 private:
  static http::ClientOptions Options(std::uint16_t port) {
    http::ClientOptions options;
    options.base_url = "http://127.0.0.1:" + std::to_string(port);
    return options;
  }

  http::HttpClient client_;
  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<Json> events_;
  bool ended_ = false;
  Json last_;
  std::jthread thread_;
};

class WatchTest : public ApiServerTest {
 protected:
  WatchTest()
      : ApiServerTest([] {
          ApiServerOptions options;
          options.watch_history = 4;
          options.bookmark_interval = std::chrono::milliseconds(50);
          return options;
        }()) {
    EXPECT_TRUE(api_.Listen().ok());
  }
  std::string WatchPath(const std::string& parameters) { return MapPath() + "?watch=1" + parameters; }
};

TEST_F(WatchTest, BeginsWithWhatIsThereAndFollowsEveryChange) {
  Create(MapPath(), Map("a"));
  Watcher watcher(api_.port(), WatchPath(""));
  EXPECT_EQ(watcher.Next(), "ADDED a");
  Create(MapPath(), Map("b"));
  EXPECT_EQ(watcher.Next(), "ADDED b");
  MergePatch(MapPath("b"), {{"data", {{"k", "v"}}}});
  EXPECT_EQ(watcher.Next(), "MODIFIED b");
  std::string before = TextAt(watcher.last(), {"object", "metadata", "resourceVersion"});
  Delete(MapPath("b"));
  EXPECT_EQ(watcher.Next(), "DELETED b");
  EXPECT_NE(TextAt(watcher.last(), {"object", "metadata", "resourceVersion"}), before);
}

TEST_F(WatchTest, ResumesAfterAResourceVersion) {
  Reply a = Create(MapPath(), Map("a"));
  Create(MapPath(), Map("b"));
  Delete(MapPath("a"));
  Watcher watcher(api_.port(), WatchPath("&resourceVersion=" + RevisionOf(a)));
  EXPECT_EQ(watcher.Next(), "ADDED b");
  EXPECT_EQ(watcher.Next(), "DELETED a");
}

TEST_F(WatchTest, APositionBeforeTheHistoryIsToldInTheStream) {
  Reply a = Create(MapPath(), Map("a"));
  for (int i = 0; i < 6; ++i) MergePatch(MapPath("a"), {{"data", {{"i", std::to_string(i)}}}});
  Watcher watcher(api_.port(), WatchPath("&resourceVersion=" + RevisionOf(a)));
  EXPECT_EQ(watcher.Next(), "ERROR ");
  EXPECT_EQ(IntegerAt(watcher.last(), {"object", "code"}), 410);
  EXPECT_EQ(TextAt(watcher.last(), {"object", "reason"}), "Expired");
  EXPECT_EQ(watcher.Next(), "end");
}

TEST_F(WatchTest, LabelChangesAreAddsAndDeletesOfTheSelection) {
  Create(MapPath(), Map("a"));
  std::string from = std::to_string(api_.revision());
  Watcher watcher(api_.port(), WatchPath("&labelSelector=on%3Dyes&resourceVersion=" + from));
  MergePatch(MapPath("a"), {{"metadata", {{"labels", {{"on", "yes"}}}}}});
  EXPECT_EQ(watcher.Next(), "ADDED a");
  MergePatch(MapPath("a"), {{"metadata", {{"labels", {{"on", "no"}}}}}});
  EXPECT_EQ(watcher.Next(), "DELETED a");
  EXPECT_EQ(TextAt(watcher.last(), {"object", "metadata", "labels", "on"}), "yes");
}

TEST_F(WatchTest, BookmarksMoveThePositionThoughNothingOfTheKindChanged) {
  Watcher watcher(api_.port(),
                  WatchPath("&allowWatchBookmarks=true&resourceVersion=" + std::to_string(api_.revision())));
  Create(KettlePath(), Kettle("blue", Json::object()));
  std::string now = std::to_string(api_.revision());
  std::string position;
  for (int i = 0; i < 100 && position != now; ++i) {
    ASSERT_EQ(watcher.Next(), "BOOKMARK ");
    position = TextAt(watcher.last(), {"object", "metadata", "resourceVersion"});
  }
  EXPECT_EQ(position, now);
}

TEST_F(WatchTest, InitialEventsEndInABookmarkThatSaysSo) {
  Create(MapPath(), Map("a"));
  Watcher watcher(api_.port(),
                  WatchPath("&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"));
  EXPECT_EQ(watcher.Next(), "ADDED a");
  EXPECT_EQ(watcher.Next(), "BOOKMARK ");
  EXPECT_EQ(TextAt(watcher.last(), {"object", "metadata", "annotations", "k8s.io/initial-events-end"}), "true");
}

TEST_F(WatchTest, EndsAtItsTimeout) {
  Watcher watcher(api_.port(), WatchPath("&timeoutSeconds=1"));
  EXPECT_EQ(watcher.Next(), "end");
}

TEST_F(WatchTest, EndsWhenTheKindIsServedNoMore) {
  Watcher watcher(api_.port(), KettlePath() + "?watch=1");
  Create(KettlePath(), Kettle("blue", Json::object()));
  EXPECT_EQ(watcher.Next(), "ADDED blue");
  Delete("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/kettles.test.dev");
  std::string next = watcher.Next();
  if (next == "DELETED blue") next = watcher.Next();
  EXPECT_EQ(next, "end");
}

TEST(RequestFilter, AnswersOrDropsInPlaceOfTheServer) {
  ApiServerOptions options;
  options.filter = [](const http::ServerRequest& request) -> std::optional<Interference> {
    if (request.target.find("fail") != std::string::npos) {
      return Interference{Interference::Kind::kAnswer, {503, "ServiceUnavailable", "try later"}};
    }
    if (request.target.find("before") != std::string::npos) return Interference{Interference::Kind::kDropBefore, {}};
    if (request.target.find("after") != std::string::npos) return Interference{Interference::Kind::kDropAfter, {}};
    return std::nullopt;
  };
  ApiServer api(options);
  ASSERT_TRUE(api.Listen().ok());
  http::ClientOptions client_options;
  client_options.base_url = "http://127.0.0.1:" + std::to_string(api.port());
  http::HttpClient client(client_options);
  auto create = [&](const std::string& query) {
    http::ClientRequest request;
    request.method = "POST";
    request.target = "/api/v1/namespaces/default/configmaps?" + query;
    request.headers["Content-Type"] = "application/json";
    request.body = R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")" + query + "\"}}";
    return client.Send(request, Deadline::After(std::chrono::seconds(10)));
  };
  auto failed = create("fail");
  ASSERT_TRUE(failed.ok());
  EXPECT_EQ(failed->status, 503);
  EXPECT_FALSE(create("before").ok());
  EXPECT_FALSE(create("after").ok());
  EXPECT_EQ(api.Call("GET", "/api/v1/namespaces/default/configmaps/before").status, 404);
  EXPECT_EQ(api.Call("GET", "/api/v1/namespaces/default/configmaps/after").status, 200);
  EXPECT_EQ(create("passes")->status, 201);
}

TEST(BrowserRequests, AreRefused) {
  ApiServer api;
  ASSERT_TRUE(api.Listen().ok());
  http::ClientOptions options;
  options.base_url = "http://127.0.0.1:" + std::to_string(api.port());
  http::HttpClient client(options);
  http::ClientRequest request;
  request.target = "/version";
  EXPECT_EQ(client.Send(request, Deadline::After(std::chrono::seconds(10)))->status, 200);
  request.headers["Origin"] = "https://evil.example";
  EXPECT_EQ(client.Send(request, Deadline::After(std::chrono::seconds(10)))->status, 403);
}

}  // namespace
}  // namespace holdfast::local
