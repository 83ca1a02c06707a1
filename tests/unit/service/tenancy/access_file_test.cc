#include "service/tenancy/access_file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/time/duration.h"

namespace holdfast::tenancy {
namespace {

constexpr std::string_view kCanary = "canary-5f2a";
const Timestamp kNow{std::chrono::seconds{1'800'000'000}};

Result<AccessFile> Parse(std::string_view text) {
  return AccessFile::Parse(text, "tokens.yaml");
}

TEST(AccessFile, TokensByTextAndByDigest) {
  const auto file =
      Parse(fmt::format("tokens:\n"
                        "  - {{name: anna, token: secret-a, namespace: team-a, roles: [writer]}}\n"
                        "  - {{name: bert, sha256: \"{}\"}}\n",
                        ToHex(Sha256("secret-b"))));
  ASSERT_TRUE(file.ok()) << file.error().message();
  const auto anna = file->FindToken("secret-a", kNow);
  ASSERT_NE(anna, nullptr);
  EXPECT_EQ(anna->name, "anna");
  EXPECT_EQ(anna->name_space, "team-a");
  EXPECT_EQ(anna->roles, std::vector<std::string>{"writer"});
  const auto bert = file->FindToken("secret-b", kNow);
  ASSERT_NE(bert, nullptr);
  EXPECT_EQ(bert->name_space, "default");
  EXPECT_EQ(file->FindToken("secret-c", kNow), nullptr);
  EXPECT_EQ(file->FindToken("", kNow), nullptr);
  EXPECT_EQ(file->FindToken("secret-", kNow), nullptr);
  // The digest itself is no token.
  EXPECT_EQ(file->FindToken(ToHex(Sha256("secret-b")), kNow), nullptr);
}

TEST(AccessFile, JsonIsAsGood) {
  const auto file = Parse(R"({"tokens": [{"name": "anna", "token": "t"}],
                              "rules": [{"principals": ["anna"], "verbs": ["read"]}]})");
  ASSERT_TRUE(file.ok()) << file.error().message();
  const auto anna = file->FindToken("t", kNow);
  ASSERT_NE(anna, nullptr);
  EXPECT_TRUE(file->policy().Allows(*anna, Verb::kRead, {"main", "default"}, "key"));
  EXPECT_FALSE(file->policy().Allows(*anna, Verb::kWrite, {"main", "default"}, "key"));
}

TEST(AccessFile, TokensExpire) {
  const auto file = Parse("tokens: [{name: anna, token: t, expires_at: \"2027-01-15T08:00:00Z\"}]");
  ASSERT_TRUE(file.ok()) << file.error().message();
  const Timestamp end = *ParseTimestamp("2027-01-15T08:00:00Z");
  EXPECT_NE(file->FindToken("t", end - std::chrono::seconds{1}), nullptr);
  EXPECT_EQ(file->FindToken("t", end), nullptr);
}

TEST(AccessFile, CertificatesByName) {
  const auto file = Parse("tokens: [{name: anna, certificate: \"spiffe://x/anna\", namespace: team-a}]");
  ASSERT_TRUE(file.ok()) << file.error().message();
  ASSERT_NE(file->FindCertificate("spiffe://x/anna", kNow), nullptr);
  EXPECT_EQ(file->FindCertificate("spiffe://x/bert", kNow), nullptr);
  EXPECT_EQ(file->FindToken("spiffe://x/anna", kNow), nullptr);
}

struct Broken {
  const char* why;
  std::string text;
};

TEST(AccessFile, WhatIsWrongIsNamedAndNeverQuoted) {
  const std::string canary(kCanary);
  const Broken cases[] = {
      {"no YAML", "tokens: [{name: a, token: " + canary},
      {"a number that YAML readers disagree on", "tokens: [{name: a, token: 0123}]\nother: 0777"},
      {"the same key twice", "tokens: []\n" + canary + ": 1\n" + canary + ": 2"},
      {"an alias", "tokens: [{name: a, token: &x " + canary + "}, *x]"},
      {"no mapping", "- " + canary},
      {"empty", ""},
      {"unknown list", "token: []\nrules: []\n" + canary + ": 1"},
      {"unknown field", "tokens: [{name: a, " + canary + ": x}]"},
      {"no proof", "tokens: [{name: a}]"},
      {"two proofs", "tokens: [{name: a, token: " + canary + ", sha256: \"00\"}]"},
      {"short digest", "tokens: [{name: a, sha256: " + canary + "}]"},
      {"a token that is a number", "tokens: [{name: a, token: 12345}]"},
      {"a token with a space", "tokens: [{name: a, token: \"" + canary + " x\"}]"},
      {"empty token", "tokens: [{name: a, token: \"\"}]"},
      {"a name twice", "tokens: [{name: a, token: " + canary + "}, {name: a, token: y}]"},
      {"a token twice", "tokens: [{name: a, token: " + canary + "}, {name: b, token: " + canary + "}]"},
      {"a role as a name", "tokens: [{name: \"role:x\", token: " + canary + "}]"},
      {"a service account as a name", "tokens: [{name: \"system:serviceaccount:a:b\", token: " + canary + "}]"},
      {"a bad namespace", "tokens: [{name: a, token: " + canary + ", namespace: Team_A}]"},
      {"a bad time", "tokens: [{name: a, token: " + canary + ", expires_at: tomorrow}]"},
      {"no verbs", "rules: [{principals: [" + canary + "]}]"},
      {"an unknown verb", "rules: [{principals: [a], verbs: [" + canary + "]}]"},
      {"no principals", "rules: [{verbs: [read]}]"},
      {"an empty list, which would mean everything", "rules: [{principals: [a], verbs: [read], namespaces: []}]"},
      {"a name where a list belongs", "rules: [{principals: a, verbs: [read]}]"},
  };
  for (const Broken& broken : cases) {
    const auto file = Parse(broken.text);
    ASSERT_FALSE(file.ok()) << broken.why;
    EXPECT_EQ(file.error().code(), ErrorCode::kInvalidArgument) << broken.why;
    EXPECT_EQ(file.error().message().find(kCanary), std::string::npos) << broken.why << ": " << file.error().message();
    EXPECT_EQ(file.error().message().rfind("tokens.yaml", 0), 0u) << file.error().message();
  }
}

}  // namespace
}  // namespace holdfast::tenancy
