#include "service/durability/retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::durability {
namespace {

using std::chrono::hours;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

constexpr Timestamp kNow{hours{1000}};

Retained One(const std::string& id, int hours_ago, bool validated = true) {
  return {id, kNow - hours{hours_ago}, validated};
}

std::vector<std::string> Go(const std::vector<Retained>& all, std::size_t keep, std::chrono::microseconds keep_for = {},
                            const std::vector<std::string>& in_use = {}) {
  return Expendable(all, {keep, keep_for}, kNow, in_use);
}

TEST(Retention, KeepsSoManyOfTheNewest) {
  const std::vector<Retained> all = {One("a", 4), One("b", 3), One("c", 2), One("d", 1)};
  EXPECT_THAT(Go(all, 4), ElementsAre());
  EXPECT_THAT(Go(all, 2), UnorderedElementsAre("a", "b"));
  EXPECT_THAT(Go(all, 1), UnorderedElementsAre("a", "b", "c"));
  EXPECT_THAT(Go({}, 1), ElementsAre());
}

TEST(Retention, KeepsNoneThatIsTooOld) {
  const std::vector<Retained> all = {One("a", 4), One("b", 3), One("c", 2), One("d", 1)};
  EXPECT_THAT(Go(all, 10, hours{2}), UnorderedElementsAre("a", "b"));
  EXPECT_THAT(Go(all, 10, hours{100}), ElementsAre());
}

TEST(Retention, TheNewestValidatedOneStaysHoweverOldItIs) {
  const std::vector<Retained> all = {One("a", 40), One("b", 30), One("c", 2, false), One("d", 1, false)};
  EXPECT_THAT(Go(all, 1), UnorderedElementsAre("a", "c"));
  EXPECT_THAT(Go(all, 10, hours{2}), ElementsAre("a"));
}

TEST(Retention, TheNewestStaysAlsoWhenNoneIsValidated) {
  EXPECT_THAT(Go({One("a", 40, false), One("b", 30, false)}, 5, hours{1}), ElementsAre("a"));
}

TEST(Retention, WhatIsInUseStays) {
  const std::vector<Retained> all = {One("a", 4), One("b", 3), One("c", 2)};
  EXPECT_THAT(Go(all, 1, {}, {"a"}), ElementsAre("b"));
}

}  // namespace
}  // namespace holdfast::durability
