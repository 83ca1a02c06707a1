#include <atomic>

#include "operator/kube/rest_client.h"
#include "tests/unit/operator/kube/scripted_server.h"
#include "tests/unit/operator/kube/temporary_directory.h"

namespace holdfast::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Deadline Soon() {
  return Deadline::After(seconds{30});
}

const Json kPod = {{"metadata", {{"name", "a"}, {"namespace", "prod"}, {"resourceVersion", "1"}}}};
const ObjectKey kPodKey{"prod", "a"};

class RestClientFault : public testing::Test {
 protected:
  ScriptedServer server_;
  std::shared_ptr<Client> client_ = server_.MakeClient();
};

// The request arrived and was perhaps carried out; its answer never comes.
TEST_F(RestClientFault, AWriteWhoseAnswerIsLostIsUnknown) {
  const ScriptedAnswer lost = Stream({"{\"metadata\":"}, StreamEnding::kBreak);
  for (int i = 0; i < 6; ++i) server_.Then(lost);
  EXPECT_EQ(client_->Create(kinds::kPod, kPod, Soon()).error().code(), ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(client_->Update(kinds::kPod, kPod, Soon()).error().code(), ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(client_->Apply(kinds::kPod, kPod, {}, Soon()).error().code(), ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(client_->MergePatch(kinds::kPod, kPodKey, {{"a", 1}}, Soon()).error().code(), ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(client_->Delete(kinds::kPod, kPodKey, {"u", "1"}, Soon()).error().code(), ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(client_->Get(kinds::kPod, kPodKey, Soon()).error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(server_.Count(), 6u);  // nothing was sent a second time
}

TEST_F(RestClientFault, AWriteTheServerNeverAnswersIsUnknownAtTheDeadline) {
  const ScriptedAnswer hang = [](const http::ServerRequest&, http::ResponseWriter& writer) {
    while (!writer.Gone()) std::this_thread::sleep_for(milliseconds{2});
  };
  server_.Otherwise(hang);
  // Time enough to send it.
  EXPECT_EQ(client_->Update(kinds::kPod, kPod, Deadline::After(seconds{2})).error().code(), ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(client_->Get(kinds::kPod, kPodKey, Deadline::After(milliseconds{200})).error().code(),
            ErrorCode::kDeadlineExceeded);
}

TEST_F(RestClientFault, NothingListeningIsACleanFailure) {
  server_.GoAway();
  EXPECT_EQ(client_->Update(kinds::kPod, kPod, Soon()).error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(client_->Get(kinds::kPod, kPodKey, Soon()).error().code(), ErrorCode::kUnavailable);
}

TEST_F(RestClientFault, AnExpiredDeadlineSendsNothing) {
  const Deadline past = Deadline::After(seconds{0});
  EXPECT_EQ(client_->Update(kinds::kPod, kPod, past).error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(client_->Get(kinds::kPod, kPodKey, past).error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(server_.Count(), 0u);
}

TEST_F(RestClientFault, AServerRestartIsSurvived) {
  server_.Otherwise(Reply(200, kPod));
  ASSERT_TRUE(client_->Get(kinds::kPod, kPodKey, Soon()).ok());
  server_.GoAway();
  server_.ComeBack();
  // On a pooled connection that died in between: a write must be neither lost nor sent twice.
  EXPECT_TRUE(client_->Update(kinds::kPod, kPod, Soon()).ok());
  EXPECT_EQ(server_.Count(), 2u);
}

TEST_F(RestClientFault, AnswersThatMakeNoSense) {
  server_.Then(Reply(200, std::string("<html>")));
  EXPECT_EQ(client_->Get(kinds::kPod, kPodKey, Soon()).error().code(), ErrorCode::kUnavailable);
  server_.Then(Reply(200, std::string("[]")));
  EXPECT_EQ(client_->Update(kinds::kPod, kPod, Soon()).error().code(), ErrorCode::kOutcomeUnknown);
  server_.Then(Reply(200, std::string(R"({"items":[7]})")));
  EXPECT_EQ(client_->List(kinds::kPod, "", {}, Soon()).error().code(), ErrorCode::kUnavailable);
  server_.Then(Reply(302, std::string("moved"), {{"Location", "http://elsewhere/"}}));
  EXPECT_EQ(client_->Get(kinds::kPod, kPodKey, Soon()).error().code(), ErrorCode::kUnavailable);
}

TEST_F(RestClientFault, RetryAfterIsHonouredOnceForReads) {
  const ScriptedAnswer busy = Refuse(429, "TooManyRequests", "slow down", {{"Retry-After", "0"}});
  server_.Then(busy);
  server_.Then(Reply(200, kPod));
  EXPECT_TRUE(client_->Get(kinds::kPod, kPodKey, Soon()).ok());
  EXPECT_EQ(server_.Count(), 2u);
  server_.Then(busy);
  server_.Then(busy);
  EXPECT_EQ(client_->Get(kinds::kPod, kPodKey, Soon()).error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(server_.Count(), 4u);
}

TEST_F(RestClientFault, RetryAfterIsWaitedFor) {
  server_.Then(Refuse(429, "TooManyRequests", "slow down", {{"Retry-After", "1"}}));
  server_.Then(Reply(200, kPod));
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(client_->Get(kinds::kPod, kPodKey, Soon()).ok());
  EXPECT_GE(std::chrono::steady_clock::now() - began, seconds{1});
}

TEST_F(RestClientFault, AWaitTheDeadlineDoesNotAllowIsReportedAtOnce) {
  for (const char* after : {"20", "86400", "soon", "-1", "99999999999"}) {
    server_.Then(Refuse(429, "TooManyRequests", "slow down", {{"Retry-After", after}}));
    const auto pod = client_->Get(kinds::kPod, kPodKey, Deadline::After(seconds{10}));
    ASSERT_FALSE(pod.ok()) << after;
    EXPECT_EQ(pod.error().code(), ErrorCode::kUnavailable) << after;
  }
  EXPECT_EQ(server_.Count(), 5u);
}

TEST_F(RestClientFault, WritesAreNeverRetriedHere) {
  server_.Then(Refuse(429, "TooManyRequests", "slow down", {{"Retry-After", "0"}}));
  EXPECT_EQ(client_->Update(kinds::kPod, kPod, Soon()).error().code(), ErrorCode::kUnavailable);
  server_.Then(Refuse(500, "InternalError", "boom"));
  EXPECT_EQ(client_->Update(kinds::kPod, kPod, Soon()).error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(server_.Count(), 2u);
}

class TokenRotation : public testing::Test {
 protected:
  std::shared_ptr<Client> MakeClient(const std::string& token) {
    path_ = directory_.Write("token", token);
    // A clock that stands still, and file times that do not change: only the refusal makes it look.
    written_ = std::filesystem::last_write_time(path_);
    RestClientOptions options;
    auto source = OpenTokenFile(path_, clock_);
    EXPECT_TRUE(source.ok());
    options.credentials.token = std::move(source).value();
    return server_.MakeClient(std::move(options));
  }
  void RotateUnseen(const std::string& token) {
    directory_.Write("token", token);
    std::filesystem::last_write_time(path_, written_);
  }
  void AcceptOnly(const std::string& token) {
    server_.Otherwise([token](const http::ServerRequest& request, http::ResponseWriter& writer) {
      const auto sent = request.headers.find("Authorization");
      const bool good = sent != request.headers.end() && sent->second == "Bearer " + token;
      (good ? Reply(200, kPod) : Refuse(401, "Unauthorized", "Unauthorized"))(request, writer);
    });
  }

  TemporaryDirectory directory_;
  ManualClock clock_;
  std::string path_;
  std::filesystem::file_time_type written_;
  ScriptedServer server_;
};

TEST_F(TokenRotation, ARefusedTokenIsReadAgainAndTheRequestSentOnceMore) {
  const auto client = MakeClient("old-token");
  AcceptOnly("new-token");
  RotateUnseen("new-token");
  EXPECT_TRUE(client->Get(kinds::kPod, kPodKey, Soon()).ok());
  EXPECT_EQ(server_.Count(), 2u);
  EXPECT_TRUE(client->Update(kinds::kPod, kPod, Soon()).ok());
  EXPECT_EQ(server_.Count(), 3u);
}

TEST_F(TokenRotation, WithoutAnotherTokenTheRefusalIsReported) {
  const auto client = MakeClient("canary-token");
  AcceptOnly("new-token");
  const auto pod = client->Get(kinds::kPod, kPodKey, Soon());
  ASSERT_FALSE(pod.ok());
  EXPECT_EQ(pod.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_NE(pod.error().message().find("cannot get pods prod/a"), std::string::npos);
  EXPECT_EQ(pod.error().message().find("canary"), std::string::npos);
  EXPECT_EQ(server_.Count(), 1u);
}

TEST_F(TokenRotation, AServerThatRefusesEveryTokenIsAskedTwiceAtMost) {
  const auto client = MakeClient("token-1");
  std::atomic<int> turn{1};
  server_.Otherwise([&](const http::ServerRequest& request, http::ResponseWriter& writer) {
    RotateUnseen("token-" + std::to_string(++turn));
    Refuse(401, "Unauthorized", "Unauthorized")(request, writer);
  });
  EXPECT_EQ(client->Get(kinds::kPod, kPodKey, Soon()).error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(server_.Count(), 2u);
}

TEST_F(TokenRotation, WatchesRenewTheirTokenToo) {
  const auto client = MakeClient("old-token");
  RotateUnseen("new-token");
  server_.Then(Refuse(401, "Unauthorized", "Unauthorized"));
  server_.Then(Stream({EventLine("ADDED", kPod)}, StreamEnding::kClose));
  int events = 0;
  const Status status = client->Watch(kinds::kPod, "", {}, {}, [&](const WatchEvent&) { return ++events > 0; });
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(events, 1);
  EXPECT_EQ(server_.Last().headers.at("Authorization"), "Bearer new-token");
}

TEST(RestClientOptionsTest, UnusableServersAreRefused) {
  RestClientOptions options;
  options.credentials.base_url = "10.0.0.1:6443";
  EXPECT_EQ(MakeRestClient(options).error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace holdfast::kube
