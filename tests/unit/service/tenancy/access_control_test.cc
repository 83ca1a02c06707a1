#include "service/tenancy/access_control.h"

#include <gtest/gtest.h>

#include <future>

#include "tests/unit/service/tenancy/temporary_file.h"

namespace holdfast::tenancy {
namespace {

using Kind = Identity::Kind;

constexpr std::string_view kServiceAccount = "aaaa.bbbb.cccc";

class AccessControlTest : public testing::Test {
 protected:
  Status Open(AuthMode mode, const std::string& path) {
    AccessOptions options;
    options.mode = mode;
    options.file = path;
    options.reread_interval = std::chrono::hours{1};  // the tests say when
    const TokenReview review = [](const std::string& token, Deadline) -> Result<PrincipalPtr> {
      if (token != kServiceAccount) return PrincipalPtr();
      return std::make_shared<const Principal>(Principal{"system:serviceaccount:team-a:web", "team-a", {}});
    };
    HOLDFAST_ASSIGN_OR_RETURN(control_, AccessControl::Open(options, review, registry_, clock_));
    return {};
  }

  Identity Find(std::string_view token, std::vector<std::string_view> certificate = {}) {
    if (auto identity = control_->authenticator().Recognise({token, std::move(certificate)})) return *identity;
    std::promise<Identity> promise;
    auto future = promise.get_future();
    control_->authenticator().Ask(token, [&](const Identity& identity) { promise.set_value(identity); });
    return future.get();
  }
  bool Knows(std::string_view token) { return Find(token).kind == Kind::kKnown; }

  ManualClock clock_;
  metrics::Registry registry_;
  std::unique_ptr<AccessControl> control_;
};

TEST_F(AccessControlTest, OffEverybodyIsAnonymous) {
  ASSERT_TRUE(Open(AuthMode::kNone, "").ok());
  EXPECT_FALSE(control_->on());
  EXPECT_EQ(control_->policy(), nullptr);
  const Identity identity = Find("");
  ASSERT_EQ(identity.kind, Kind::kKnown);
  EXPECT_EQ(identity.principal->name, "anonymous");
  EXPECT_EQ(identity.principal->name_space, "default");
}

TEST_F(AccessControlTest, AMissingOrBrokenFileStopsTheStart) {
  TemporaryFile file("tokens: 7");
  EXPECT_FALSE(Open(AuthMode::kTokens, file.path()).ok());
  file.Remove();
  EXPECT_FALSE(Open(AuthMode::kTokens, file.path()).ok());
}

TEST_F(AccessControlTest, ModesDecideWhatProvesACaller) {
  const TemporaryFile file("tokens: [{name: anna, token: a}, {name: cert, certificate: cert}]");
  ASSERT_TRUE(Open(AuthMode::kTokens, file.path()).ok());
  EXPECT_TRUE(Knows("a"));
  EXPECT_FALSE(Knows(""));
  EXPECT_FALSE(Knows("b"));
  EXPECT_FALSE(Knows(kServiceAccount));
  EXPECT_EQ(Find("", {"other", "cert"}).principal->name, "cert");
  EXPECT_EQ(Find("", {"other"}).kind, Kind::kUnknown);
  // A wrong token is not made up for by a certificate.
  EXPECT_EQ(Find("b", {"cert"}).kind, Kind::kUnknown);

  ASSERT_TRUE(Open(AuthMode::kServiceAccount, file.path()).ok());
  EXPECT_FALSE(Knows("a"));
  EXPECT_TRUE(Knows(kServiceAccount));
  EXPECT_FALSE(Knows("aaaa.bbbb.dddd"));

  ASSERT_TRUE(Open(AuthMode::kBoth, file.path()).ok());
  EXPECT_TRUE(Knows("a"));
  EXPECT_TRUE(Knows(kServiceAccount));
  EXPECT_FALSE(Knows("b"));
}

TEST_F(AccessControlTest, AChangedFileCountsAndABrokenOneDoesNot) {
  TemporaryFile file("tokens: [{name: anna, token: a}]");
  ASSERT_TRUE(Open(AuthMode::kTokens, file.path()).ok());
  const PolicyPtr before = control_->policy();

  file.Write("tokens: [{name: bert, token: b}]\nrules: [{principals: [bert], verbs: [read]}]");
  control_->Reread();
  EXPECT_FALSE(Knows("a"));
  ASSERT_TRUE(Knows("b"));
  const Principal bert = *Find("b").principal;
  EXPECT_TRUE(control_->policy()->Allows(bert, Verb::kRead, {"main", "default"}, "key"));
  // A request that began before goes on with the rules it began with.
  EXPECT_FALSE(before->Allows(bert, Verb::kRead, {"main", "default"}, "key"));

  for (const char* broken : {"tokens: [{name: bert", "", "tokens: [{name: bert}]"}) {
    file.Write(broken);
    control_->Reread();
    EXPECT_TRUE(Knows("b")) << broken;
  }
  file.Remove();
  control_->Reread();
  EXPECT_TRUE(Knows("b"));
  file.Write("tokens: []");
  control_->Reread();
  EXPECT_FALSE(Knows("b"));
}

TEST_F(AccessControlTest, TokensExpireWhileTheFileStays) {
  const TemporaryFile file("tokens: [{name: anna, token: a, expires_at: \"2024-01-01T00:00:00Z\"}]");
  ASSERT_TRUE(Open(AuthMode::kTokens, file.path()).ok());
  EXPECT_TRUE(Knows("a"));
  clock_.Advance(std::chrono::hours{24 * 365});
  EXPECT_FALSE(Knows("a"));
}

TEST_F(AccessControlTest, TheFileIsReadAgainByItself) {
  TemporaryFile file("tokens: [{name: anna, token: a}]");
  AccessOptions options;
  options.mode = AuthMode::kTokens;
  options.file = file.path();
  options.reread_interval = std::chrono::milliseconds{5};
  auto control = AccessControl::Open(options, registry_, clock_);
  ASSERT_TRUE(control.ok());
  control_ = std::move(control).value();
  file.Write("tokens: [{name: bert, token: b}]");
  const Deadline deadline = Deadline::After(std::chrono::seconds{60});
  while (!Knows("b") && !deadline.Expired()) std::this_thread::sleep_for(std::chrono::milliseconds{2});
  EXPECT_TRUE(Knows("b"));
}

}  // namespace
}  // namespace holdfast::tenancy
