#include "service/tenancy/service_accounts.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>

namespace holdfast::tenancy {
namespace {

using Kind = Identity::Kind;
using std::chrono::seconds;

constexpr std::string_view kGood = "aaaa.bbbb.good";
constexpr std::string_view kBad = "aaaa.bbbb.bad";

// A Kubernetes API that knows one token and can be held or taken away.
class FakeReview {
 public:
  TokenReview function() {
    return [this](const std::string& token, Deadline) -> Result<PrincipalPtr> {
      std::unique_lock lock(mutex_);
      ++calls_;
      changed_.notify_all();
      changed_.wait(lock, [this] { return !held_; });
      if (down_) return Error(ErrorCode::kUnavailable, "connection refused");
      if (token != kGood) return PrincipalPtr();
      return std::make_shared<const Principal>(Principal{"system:serviceaccount:team-a:web", "team-a", {}});
    };
  }
  void Set(bool held, bool down) {
    const std::lock_guard lock(mutex_);
    held_ = held;
    down_ = down;
    changed_.notify_all();
  }
  void WaitForCalls(int calls) {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, seconds{60}, [&] { return calls_ >= calls; }));
  }
  int calls() {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int calls_ = 0;      // guarded by mutex_
  bool held_ = false;  // guarded by mutex_
  bool down_ = false;  // guarded by mutex_
};

class ServiceAccountsTest : public testing::Test {
 protected:
  void Make(const ServiceAccountOptions& options = {}) {
    authenticator_ = MakeServiceAccountAuthenticator(review_.function(), options, registry_, clock_);
  }

  std::future<Identity> Ask(std::string_view token) {
    auto promise = std::make_shared<std::promise<Identity>>();
    authenticator_->Ask(token, [promise](const Identity& identity) { promise->set_value(identity); });
    return promise->get_future();
  }

  // As the API's handler does it.
  Identity Find(std::string_view token) {
    if (auto identity = authenticator_->Recognise({token, {}})) return *identity;
    auto future = Ask(token);
    EXPECT_EQ(future.wait_for(seconds{60}), std::future_status::ready);
    return future.get();
  }

  ManualClock clock_;
  metrics::Registry registry_;
  FakeReview review_;
  std::unique_ptr<Authenticator> authenticator_;
};

TEST_F(ServiceAccountsTest, GoodAndBadTokens) {
  Make();
  const Identity good = Find(kGood);
  ASSERT_EQ(good.kind, Kind::kKnown);
  EXPECT_EQ(good.principal->name, "system:serviceaccount:team-a:web");
  EXPECT_EQ(good.principal->name_space, "team-a");
  EXPECT_EQ(Find(kBad).kind, Kind::kUnknown);
}

TEST_F(ServiceAccountsTest, WhatIsNoTokenIsNotReviewed) {
  Make();
  const std::string long_one = "a.b." + std::string(kMaxBearerTokenBytes, 'c');
  for (const std::string& token : {std::string(), std::string("secret"), std::string("a.b"), std::string("a..c"),
                                   std::string("a.b."), std::string("a.b.c.d"), std::string("a.b.c+d"), long_one}) {
    const auto identity = authenticator_->Recognise({token, {}});
    ASSERT_TRUE(identity.has_value()) << token;
    EXPECT_EQ(identity->kind, Kind::kUnknown) << token;
  }
  EXPECT_EQ(review_.calls(), 0);
}

TEST_F(ServiceAccountsTest, AnswersAreKeptForTheirTime) {
  ServiceAccountOptions options;
  options.cache_ttl = seconds{60};
  options.refusal_ttl = seconds{10};
  Make(options);
  EXPECT_EQ(Find(kGood).kind, Kind::kKnown);
  EXPECT_EQ(Find(kBad).kind, Kind::kUnknown);
  EXPECT_EQ(review_.calls(), 2);
  clock_.Advance(seconds{9});
  EXPECT_EQ(Find(kGood).kind, Kind::kKnown);
  EXPECT_EQ(Find(kBad).kind, Kind::kUnknown);
  EXPECT_EQ(review_.calls(), 2);
  clock_.Advance(seconds{2});
  EXPECT_EQ(Find(kBad).kind, Kind::kUnknown);
  EXPECT_EQ(review_.calls(), 3);
  clock_.Advance(seconds{60});
  EXPECT_EQ(Find(kGood).kind, Kind::kKnown);
  EXPECT_EQ(review_.calls(), 4);
}

TEST_F(ServiceAccountsTest, AFloodOfBadTokensDrivesOutNoGoodOne) {
  ServiceAccountOptions options;
  options.cache_entries = 8;
  Make(options);
  EXPECT_EQ(Find(kGood).kind, Kind::kKnown);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Find("aaaa.bbbb." + std::to_string(i)).kind, Kind::kUnknown);
  const int calls = review_.calls();
  EXPECT_EQ(Find(kGood).kind, Kind::kKnown);
  EXPECT_EQ(review_.calls(), calls);
}

TEST_F(ServiceAccountsTest, AnOutageLetsNobodyInButThoseKnown) {
  Make();
  EXPECT_EQ(Find(kGood).kind, Kind::kKnown);
  review_.Set(false, true);
  EXPECT_EQ(Find(kGood).kind, Kind::kKnown);
  EXPECT_EQ(Find(kBad).kind, Kind::kUnavailable);
  // Not kept: the next request asks again.
  review_.Set(false, false);
  EXPECT_EQ(Find(kBad).kind, Kind::kUnknown);
  // Past its time nobody vouches for a token.
  clock_.Advance(std::chrono::minutes{10});
  review_.Set(false, true);
  EXPECT_EQ(Find(kGood).kind, Kind::kUnavailable);
}

TEST_F(ServiceAccountsTest, OneReviewServesAllWhoWait) {
  Make();
  review_.Set(true, false);
  std::vector<std::future<Identity>> waiting;
  for (int i = 0; i < 20; ++i) waiting.push_back(Ask(kGood));
  review_.WaitForCalls(1);
  review_.Set(false, false);
  for (auto& future : waiting) {
    ASSERT_EQ(future.wait_for(seconds{60}), std::future_status::ready);
    EXPECT_EQ(future.get().kind, Kind::kKnown);
  }
  EXPECT_EQ(review_.calls(), 1);
}

TEST_F(ServiceAccountsTest, BeyondTheQueueNobodyIsLetIn) {
  ServiceAccountOptions options;
  options.threads = 1;
  options.max_waiting = 1;
  Make(options);
  review_.Set(true, false);
  auto running = Ask("a.b.1");
  review_.WaitForCalls(1);
  auto queued = Ask("a.b.2");
  auto refused = Ask(kGood);
  ASSERT_EQ(refused.wait_for(seconds{60}), std::future_status::ready);
  EXPECT_EQ(refused.get().kind, Kind::kUnavailable);
  review_.Set(false, false);
  EXPECT_EQ(running.get().kind, Kind::kUnknown);
  EXPECT_EQ(queued.get().kind, Kind::kUnknown);
  EXPECT_EQ(Find(kGood).kind, Kind::kKnown);
}

}  // namespace
}  // namespace holdfast::tenancy
