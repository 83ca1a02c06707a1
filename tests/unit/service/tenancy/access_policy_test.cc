#include "service/tenancy/access_policy.h"

#include <gtest/gtest.h>

namespace holdfast::tenancy {
namespace {

VerbSet Verbs(std::initializer_list<Verb> verbs) {
  VerbSet set;
  for (const Verb verb : verbs) set.set(static_cast<std::size_t>(verb));
  return set;
}

const Principal kAnna{"anna", "team-a", {"writer"}};
const Principal kBert{"bert", "team-b", {}};
const Principal kWeb{"system:serviceaccount:team-a:web", "team-a", {}};
constexpr Place kOwn{"main", "team-a"};
constexpr Place kOther{"main", "team-b"};

TEST(AccessPolicy, WithoutRulesNothingIsAllowed) {
  const AccessPolicy policy({});
  for (std::size_t verb = 0; verb < kVerbs; ++verb) {
    EXPECT_FALSE(policy.Allows(kAnna, static_cast<Verb>(verb), kOwn, "key"));
  }
  EXPECT_FALSE(policy.AllowsSomewhere(kAnna, std::nullopt, kOwn));
}

TEST(AccessPolicy, OnlyItsVerbs) {
  const AccessPolicy policy({{{"anna"}, {}, {}, "", Verbs({Verb::kRead})}});
  EXPECT_TRUE(policy.Allows(kAnna, Verb::kRead, kOwn, "key"));
  EXPECT_FALSE(policy.Allows(kAnna, Verb::kWrite, kOwn, "key"));
  EXPECT_FALSE(policy.Allows(kBert, Verb::kRead, kOther, "key"));
}

TEST(AccessPolicy, WithoutNamespacesTheCallersOwn) {
  const AccessPolicy policy({{{"*"}, {}, {}, "", Verbs({Verb::kRead})}});
  EXPECT_TRUE(policy.Allows(kAnna, Verb::kRead, kOwn, "key"));
  EXPECT_FALSE(policy.Allows(kAnna, Verb::kRead, kOther, "key"));
  EXPECT_TRUE(policy.Allows(kBert, Verb::kRead, kOther, "key"));
}

TEST(AccessPolicy, NamespacesByNameBeginningOrAll) {
  const AccessPolicy policy({{{"anna"}, {}, {"team-b"}, "", Verbs({Verb::kRead})},
                             {{"bert"}, {}, {"*"}, "", Verbs({Verb::kRead})},
                             {{"system:serviceaccount:team-a:web"}, {}, {"team-*"}, "", Verbs({Verb::kRead})}});
  EXPECT_TRUE(policy.Allows(kAnna, Verb::kRead, kOther, "key"));
  EXPECT_FALSE(policy.Allows(kAnna, Verb::kRead, kOwn, "key"));
  EXPECT_TRUE(policy.Allows(kBert, Verb::kRead, {"main", "anything"}, "key"));
  EXPECT_TRUE(policy.Allows(kWeb, Verb::kRead, kOther, "key"));
  EXPECT_FALSE(policy.Allows(kWeb, Verb::kRead, {"main", "other"}, "key"));
}

TEST(AccessPolicy, StoresAndPrefixes) {
  const AccessPolicy policy({{{"anna"}, {"main"}, {}, "orders/", Verbs({Verb::kRead, Verb::kList})}});
  EXPECT_TRUE(policy.Allows(kAnna, Verb::kRead, kOwn, "orders/1"));
  EXPECT_TRUE(policy.Allows(kAnna, Verb::kList, kOwn, "orders/"));
  EXPECT_FALSE(policy.Allows(kAnna, Verb::kList, kOwn, "orders"));
  EXPECT_FALSE(policy.Allows(kAnna, Verb::kList, kOwn, ""));
  EXPECT_FALSE(policy.Allows(kAnna, Verb::kRead, kOwn, "order"));
  EXPECT_FALSE(policy.Allows(kAnna, Verb::kRead, {"other", "team-a"}, "orders/1"));
  EXPECT_TRUE(policy.AllowsSomewhere(kAnna, Verb::kRead, kOwn));
  EXPECT_FALSE(policy.AllowsSomewhere(kAnna, Verb::kWrite, kOwn));
  EXPECT_FALSE(policy.AllowsSomewhere(kAnna, Verb::kRead, kOther));
}

TEST(AccessPolicy, RolesAndBeginnings) {
  const AccessPolicy policy({{{"role:writer"}, {}, {}, "", Verbs({Verb::kWrite})},
                             {{"system:serviceaccount:team-a:*"}, {}, {}, "", Verbs({Verb::kRead})}});
  EXPECT_TRUE(policy.Allows(kAnna, Verb::kWrite, kOwn, "key"));
  EXPECT_FALSE(policy.Allows(kBert, Verb::kWrite, kOther, "key"));
  EXPECT_TRUE(policy.Allows(kWeb, Verb::kRead, kOwn, "key"));
  EXPECT_FALSE(policy.Allows(kAnna, Verb::kRead, kOwn, "key"));
}

// The matcher points into its own rules.
TEST(AccessPolicy, SurvivesBeingMoved) {
  auto first = std::make_unique<AccessPolicy>(std::vector<Rule>{{{"anna"}, {}, {}, "", Verbs({Verb::kRead})}});
  const AccessPolicy second(std::move(*first));
  first.reset();
  EXPECT_TRUE(second.Allows(kAnna, Verb::kRead, kOwn, "key"));
}

TEST(Verb, NamesComeBack) {
  for (std::size_t i = 0; i < kVerbs; ++i) {
    const auto verb = static_cast<Verb>(i);
    EXPECT_EQ(ParseVerb(VerbName(verb)), verb);
  }
  EXPECT_FALSE(ParseVerb("READ"));
  EXPECT_FALSE(ParseVerb(""));
}

}  // namespace
}  // namespace holdfast::tenancy
