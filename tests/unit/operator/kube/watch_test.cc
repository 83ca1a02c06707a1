// Client::Watch over real HTTP: what a server, or something in between, may do to a stream.
#include <atomic>

#include "operator/kube/rest_client.h"
#include "tests/unit/operator/kube/scripted_server.h"
#include "tests/waiting/eventually.h"

namespace holdfast::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Json Pod(const std::string& name, const std::string& version) {
  return {{"kind", "Pod"},
          {"apiVersion", "v1"},
          {"metadata", {{"name", name}, {"namespace", "prod"}, {"uid", "u-" + name}, {"resourceVersion", version}}}};
}

class WatchTest : public testing::Test {
 protected:
  Status Watch(const WatchOptions& options = {}, std::stop_token stop = {}) {
    return client_->Watch(kinds::kPod, "prod", options, std::move(stop), [this](const WatchEvent& event) {
      seen_.push_back(ResourceVersionOf(event.object));
      return take_ == 0 || seen_.size() < take_;
    });
  }
  ErrorCode WatchError(const WatchOptions& options = {}) {
    const Status status = Watch(options);
    return status.ok() ? ErrorCode::kInternal : status.error().code();
  }

  ScriptedServer server_;
  std::shared_ptr<Client> client_ = server_.MakeClient();
  std::vector<std::string> seen_;
  std::size_t take_ = 0;  // events after which the callback ends the watch; 0 = never
};

TEST_F(WatchTest, EventsComeInOrderUntilTheServerEndsIt) {
  server_.Then(Stream({EventLine("ADDED", Pod("a", "1")), EventLine("MODIFIED", Pod("a", "2")),
                       EventLine("BOOKMARK", {{"kind", "Pod"}, {"metadata", {{"resourceVersion", "9"}}}}),
                       EventLine("DELETED", Pod("a", "10"))},
                      StreamEnding::kClose));
  WatchOptions options;
  options.resource_version = "0";
  options.label_selector = "app=db";
  options.timeout = seconds{45};
  EXPECT_TRUE(Watch(options).ok());
  EXPECT_EQ(seen_, (std::vector<std::string>{"1", "2", "9", "10"}));
  EXPECT_EQ(server_.Last().target,
            "/api/v1/namespaces/prod/pods?watch=true&allowWatchBookmarks=true&timeoutSeconds=45&resourceVersion=0"
            "&labelSelector=app%3Ddb");
}

// A real server (kube-apiserver 1.34) sends nothing at all, not even bookmarks, about a kind that nobody changes.
TEST_F(WatchTest, TheServerIsAskedToEndItBeforeSilenceLooksLikeDeath) {
  server_.Otherwise(Stream({}, StreamEnding::kClose));
  WatchOptions options;
  EXPECT_TRUE(Watch(options).ok());
  EXPECT_NE(server_.Last().target.find("timeoutSeconds=60"), std::string::npos);
  options.idle_timeout = milliseconds{1'000};
  EXPECT_TRUE(Watch(options).ok());
  EXPECT_NE(server_.Last().target.find("timeoutSeconds=1"), std::string::npos);
}

TEST_F(WatchTest, LinesMayArriveInAnyPieces) {
  const std::string text =
      EventLine("ADDED", Pod("a", "1")) + EventLine("ADDED", Pod("b", "2")) + "\n" + EventLine("ADDED", Pod("c", "3"));
  std::vector<std::string> pieces;
  for (std::size_t i = 0; i < text.size(); i += 7) pieces.push_back(text.substr(i, 7));
  server_.Then(Stream(pieces, StreamEnding::kClose));
  EXPECT_TRUE(Watch().ok());
  EXPECT_EQ(seen_, (std::vector<std::string>{"1", "2", "3"}));
}

TEST_F(WatchTest, TheCallbackEndsIt) {
  take_ = 1;
  server_.Then(Stream({EventLine("ADDED", Pod("a", "1")), EventLine("ADDED", Pod("b", "2"))}, StreamEnding::kSilent));
  EXPECT_TRUE(Watch().ok());
  EXPECT_EQ(seen_.size(), 1u);
}

TEST_F(WatchTest, StopEndsASilentStream) {
  std::stop_source stop;
  server_.Then(Stream({}, StreamEnding::kSilent));
  std::jthread stopper([&] {
    Eventually([&] { return server_.Count() == 1; });
    stop.request_stop();
  });
  const Status status = Watch({}, stop.get_token());
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kCancelled);
}

TEST_F(WatchTest, GoneBeforeTheStream) {
  server_.Then(Refuse(410, "Gone", "too old resource version: 1 (500)"));
  const Status status = Watch();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(status.error().message(),
            "cannot watch pods in namespace prod: too old resource version: 1 (500) (HTTP 410 Gone)");
}

TEST_F(WatchTest, GoneInsideTheStream) {
  server_.Then(Stream({EventLine("ADDED", Pod("a", "1")),
                       EventLine("ERROR", {{"kind", "Status"}, {"code", 410}, {"reason", "Expired"}, {"message", "m"}}),
                       EventLine("ADDED", Pod("b", "2"))},
                      StreamEnding::kSilent));
  EXPECT_EQ(WatchError(), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(seen_.size(), 1u);
}

TEST_F(WatchTest, ASilentStreamIsTakenForDead) {
  WatchOptions options;
  options.idle_timeout = milliseconds{1'000};
  server_.Then(Stream({EventLine("ADDED", Pod("a", "1"))}, StreamEnding::kSilent));
  EXPECT_EQ(WatchError(options), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(seen_.size(), 1u);
}

TEST_F(WatchTest, AServerThatNeverAnswersIsTakenForDead) {
  WatchOptions options;
  options.idle_timeout = milliseconds{100};
  server_.Then([](const http::ServerRequest&, http::ResponseWriter& writer) {
    while (!writer.Gone()) std::this_thread::sleep_for(milliseconds{2});
  });
  EXPECT_EQ(WatchError(options), ErrorCode::kDeadlineExceeded);
}

TEST_F(WatchTest, ABrokenConnectionIsUnavailable) {
  server_.Then(Stream({EventLine("ADDED", Pod("a", "1"))}, StreamEnding::kBreak));
  EXPECT_EQ(WatchError(), ErrorCode::kUnavailable);
  server_.GoAway();
  EXPECT_EQ(WatchError(), ErrorCode::kUnavailable);
}

TEST_F(WatchTest, ATruncatedLineIsNoEvent) {
  const std::string whole = EventLine("MODIFIED", Pod("a", "2"));
  for (const StreamEnding ending : {StreamEnding::kClose, StreamEnding::kBreak}) {
    seen_.clear();
    server_.Then(Stream({EventLine("ADDED", Pod("a", "1")), whole.substr(0, whole.size() / 2)}, ending));
    const ErrorCode code = WatchError();
    EXPECT_TRUE(code == ErrorCode::kCorruption || code == ErrorCode::kUnavailable);
    EXPECT_EQ(seen_, (std::vector<std::string>{"1"}));
  }
}

TEST_F(WatchTest, ATenMegabyteLineEndsIt) {
  Json huge = Pod("a", "2");
  huge["data"] = std::string(10u << 20, 'x');
  server_.Then(Stream({EventLine("ADDED", Pod("a", "1")), EventLine("MODIFIED", huge)}, StreamEnding::kSilent));
  const Status status = Watch();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kCorruption);
  EXPECT_NE(status.error().message().find("max_event_bytes (8388608)"), std::string::npos);
  EXPECT_EQ(seen_, (std::vector<std::string>{"1"}));
}

TEST_F(WatchTest, AnUnknownTypeOrAnotherKindEndsIt) {
  server_.Then(Stream({EventLine("SYNC", Pod("a", "1"))}, StreamEnding::kSilent));
  EXPECT_EQ(WatchError(), ErrorCode::kCorruption);
  Json secret = Pod("a", "1");
  secret["kind"] = "Secret";
  server_.Then(Stream({EventLine("ADDED", secret)}, StreamEnding::kSilent));
  EXPECT_EQ(WatchError(), ErrorCode::kCorruption);
  EXPECT_TRUE(seen_.empty());
}

}  // namespace
}  // namespace holdfast::kube
