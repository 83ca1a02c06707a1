#include "service/tenancy/token_review.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <mutex>
#include <nlohmann/json.hpp>

#include "base/http/http_listener.h"
#include "tests/unit/service/tenancy/temporary_file.h"

namespace holdfast::tenancy {
namespace {

using nlohmann::json;

constexpr const char* kCanary = "canary.token.5f2a";

class TokenReviewTest : public testing::Test {
 protected:
  TokenReviewTest() : own_token_("own-token\n") {
    auto listener = http::HttpListener::Start({}, [this](const http::ServerRequest& request, http::ResponseWriter& to) {
      const std::lock_guard lock(mutex_);
      request_ = request;
      to.Send(status_, {{"Content-Type", "application/json"}}, answer_);
    });
    EXPECT_TRUE(listener.ok());
    listener_ = std::move(listener).value();
    options_.server = fmt::format("http://127.0.0.1:{}", listener_->port());
    options_.token_file = own_token_.path();
  }

  void Answer(int status, std::string body) {
    const std::lock_guard lock(mutex_);
    status_ = status;
    answer_ = std::move(body);
  }
  void AnswerStatus(const json& status) { Answer(201, json{{"kind", "TokenReview"}, {"status", status}}.dump()); }

  Result<PrincipalPtr> Review() {
    return MakeTokenReview(options_)(kCanary, Deadline::After(std::chrono::seconds{10}));
  }
  http::ServerRequest request() {
    const std::lock_guard lock(mutex_);
    return request_;
  }

  TemporaryFile own_token_;
  TokenReviewOptions options_;
  std::mutex mutex_;
  int status_ = 201;             // guarded by mutex_
  std::string answer_;           // guarded by mutex_
  http::ServerRequest request_;  // guarded by mutex_; the last one
  std::unique_ptr<http::HttpListener> listener_;
};

TEST_F(TokenReviewTest, AsksAsTheServiceAboutTheToken) {
  options_.audience = "holdfast";
  AnswerStatus({{"authenticated", true},
                {"audiences", {"holdfast"}},
                {"user", {{"username", "system:serviceaccount:team-a:web"}}}});
  const auto principal = Review();
  ASSERT_TRUE(principal.ok()) << principal.error().message();
  ASSERT_NE(*principal, nullptr);
  EXPECT_EQ((*principal)->name, "system:serviceaccount:team-a:web");
  EXPECT_EQ((*principal)->name_space, "team-a");

  const http::ServerRequest sent = request();
  EXPECT_EQ(sent.method, "POST");
  EXPECT_EQ(sent.target, "/apis/authentication.k8s.io/v1/tokenreviews");
  EXPECT_EQ(sent.headers.at("Authorization"), "Bearer own-token");
  const json body = json::parse(sent.body);
  EXPECT_EQ(body["apiVersion"], "authentication.k8s.io/v1");
  EXPECT_EQ(body["kind"], "TokenReview");
  EXPECT_EQ(body["spec"]["token"], kCanary);
  EXPECT_EQ(body["spec"]["audiences"], json::array({"holdfast"}));
}

TEST_F(TokenReviewTest, ARotatedTokenOfTheServiceIsUsedAtOnce) {
  AnswerStatus({{"authenticated", false}});
  const TokenReview review = MakeTokenReview(options_);
  ASSERT_TRUE(review(kCanary, Deadline::After(std::chrono::seconds{10})).ok());
  own_token_.Write("rotated");
  ASSERT_TRUE(review(kCanary, Deadline::After(std::chrono::seconds{10})).ok());
  EXPECT_EQ(request().headers.at("Authorization"), "Bearer rotated");
}

TEST_F(TokenReviewTest, RefusedTokens) {
  const json user = {{"username", "system:serviceaccount:team-a:web"}};
  for (const json& status : {
           json{{"authenticated", false}, {"error", "invalid bearer token"}},
           json{{"authenticated", "true"}, {"user", user}},
           json{{"user", user}},
           json{{"authenticated", true}},
           json{{"authenticated", true}, {"user", {{"username", "admin"}}}},
           json{{"authenticated", true}, {"user", {{"username", "system:serviceaccount:team-a"}}}},
           json{{"authenticated", true}, {"user", {{"username", "system:serviceaccount:team-a:"}}}},
           json{{"authenticated", true}, {"user", {{"username", "system:serviceaccount:Team_A:web"}}}},
           json{{"authenticated", true}, {"user", {{"username", 7}}}},
       }) {
    AnswerStatus(status);
    const auto principal = Review();
    ASSERT_TRUE(principal.ok()) << status.dump();
    EXPECT_EQ(*principal, nullptr) << status.dump();
  }
}

// A server without audiences, or a token for somebody else: either way it is no proof that the token is for us.
TEST_F(TokenReviewTest, TheAudienceMustBeConfirmed) {
  options_.audience = "holdfast";
  const json user = {{"username", "system:serviceaccount:team-a:web"}};
  for (const json& status : {json{{"authenticated", true}, {"user", user}},
                             json{{"authenticated", true}, {"user", user}, {"audiences", {"x"}}},
                             json{{"authenticated", true}, {"user", user}, {"audiences", "holdfast"}}}) {
    AnswerStatus(status);
    const auto principal = Review();
    ASSERT_TRUE(principal.ok());
    EXPECT_EQ(*principal, nullptr) << status.dump();
  }
}

TEST_F(TokenReviewTest, WhatIsNoAnswerIsAnOutage) {
  const std::pair<int, std::string> answers[] = {
      {403, R"({"kind":"Status"})"}, {401, ""}, {500, ""}, {200, "not json"}, {201, "[]"}, {201, "{}"},
      {201, R"({"status":7})"}};
  for (const auto& [status, body] : answers) {
    Answer(status, body);
    const auto principal = Review();
    ASSERT_FALSE(principal.ok()) << status << " " << body;
    EXPECT_EQ(principal.error().code(), ErrorCode::kUnavailable);
    EXPECT_EQ(principal.error().message().find(kCanary), std::string::npos);
  }
  own_token_.Remove();
  EXPECT_FALSE(Review().ok());
}

TEST_F(TokenReviewTest, NobodyThereIsAnOutage) {
  listener_.reset();
  const auto principal = Review();
  ASSERT_FALSE(principal.ok());
  EXPECT_EQ(principal.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(principal.error().message().find(kCanary), std::string::npos);
}

}  // namespace
}  // namespace holdfast::tenancy
