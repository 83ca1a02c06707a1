// Which backups go.
#include "service/backup/retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::backup {
namespace {

using std::chrono::days;
using std::chrono::hours;
using testing::ElementsAre;
using testing::IsEmpty;

// 2023-11-13, a Monday.
constexpr Timestamp kMonday{std::chrono::sys_days{std::chrono::year{2023} / 11 / 13}};

std::vector<Retained> Verified(const std::vector<std::pair<std::string, Timestamp>>& all) {
  std::vector<Retained> retained;
  for (const auto& [id, created_at] : all) retained.push_back({id, created_at, true});
  return retained;
}

TEST(BackupRetention, AllStayWhenNothingIsSaid) {
  EXPECT_THAT(Expendable(Verified({{"a", kMonday}, {"b", kMonday + days{400}}}), {0, 0, 0}), IsEmpty());
}

TEST(BackupRetention, TheLastStay) {
  const auto all = Verified({{"a", kMonday}, {"b", kMonday + hours{1}}, {"c", kMonday + hours{2}}});
  EXPECT_THAT(Expendable(all, {2, 0, 0}), ElementsAre("a"));
  EXPECT_THAT(Expendable(all, {3, 0, 0}), IsEmpty());
}

TEST(BackupRetention, TheNewestOfEachDayStays) {
  const auto all = Verified({{"monday-1", kMonday},
                             {"monday-2", kMonday + hours{23}},
                             {"tuesday", kMonday + hours{24}},
                             {"friday-1", kMonday + days{4}},
                             {"friday-2", kMonday + days{4} + hours{1}}});
  EXPECT_THAT(Expendable(all, {0, 2, 0}), ElementsAre("friday-1", "monday-2", "monday-1"));
  // Days without one are not counted.
  EXPECT_THAT(Expendable(all, {0, 3, 0}), ElementsAre("friday-1", "monday-1"));
}

TEST(BackupRetention, WeeksBeginOnMonday) {
  const auto all = Verified({{"saturday", kMonday - days{2}},
                             {"sunday", kMonday - hours{1}},
                             {"monday", kMonday},
                             {"next-sunday", kMonday + days{6}},
                             {"next-monday", kMonday + days{7}}});
  EXPECT_THAT(Expendable(all, {0, 0, 3}), ElementsAre("monday", "saturday"));
  EXPECT_THAT(Expendable(all, {0, 0, 2}), ElementsAre("monday", "sunday", "saturday"));
}

TEST(BackupRetention, OneRuleIsEnoughToStay) {
  const auto all = Verified({{"old", kMonday - days{8}},
                             {"last-week", kMonday - days{3}},
                             {"a", kMonday + hours{1}},
                             {"b", kMonday + hours{2}},
                             {"c", kMonday + hours{3}}});
  EXPECT_THAT(Expendable(all, {2, 1, 2}), ElementsAre("a", "old"));
}

TEST(BackupRetention, TheNewestVerifiedAndTheNewestAlwaysStay) {
  std::vector<Retained> all = Verified({{"a", kMonday}, {"b", kMonday + hours{1}}});
  for (int i = 0; i < 3; ++i) all.push_back({"unverified-" + std::to_string(i), kMonday + hours{2 + i}, false});
  EXPECT_THAT(Expendable(all, {1, 0, 0}), ElementsAre("unverified-1", "unverified-0", "a"));
  EXPECT_THAT(Expendable(all, {0, 0, 1}), ElementsAre("unverified-1", "unverified-0", "a"));
}

TEST(BackupRetention, TimesBefore1970HaveWeeksToo) {
  const Timestamp thursday{};  // 1970-01-01
  const auto all = Verified({{"sunday", thursday - days{4}}, {"monday", thursday - days{3}}, {"thursday", thursday}});
  EXPECT_THAT(Expendable(all, {0, 0, 1}), ElementsAre("monday", "sunday"));
}

// Whose parents are as said: each is older than its child, unless a clock was wrong.
TEST(BackupRetention, WhatOneThatStaysBuildsOnStays) {
  const auto of = [](const std::string& id, int hour, const std::string& parent, std::size_t link) {
    Retained one{id, kMonday + hours{hour}, true};
    one.parent = parent;
    one.link = link;
    return one;
  };
  const std::vector<Retained> chain = {of("full", 0, "", 0), of("one", 1, "full", 1), of("two", 2, "one", 2),
                                       of("alone", 3, "", 0), of("three", 4, "two", 3)};
  EXPECT_THAT(Expendable(chain, {1, 0, 0}), ElementsAre("alone"));
  std::vector<Retained> ended = chain;
  ended.push_back(of("next", 5, "", 0));
  EXPECT_THAT(Expendable(ended, {1, 0, 0}), ElementsAre("three", "two", "one", "alone", "full"));
  std::vector<Retained> used = ended;
  used[1].in_use = true;
  EXPECT_THAT(Expendable(used, {1, 0, 0}), ElementsAre("three", "two", "alone"));
  // The child seems to be older than what it builds on.
  const std::vector<Retained> skewed = {of("child", 0, "parent", 1), of("parent", 1, "", 0), of("next", 2, "", 0)};
  EXPECT_THAT(Expendable(skewed, {1, 0, 0}), ElementsAre("child", "parent"));
  std::vector<Retained> kept = skewed;
  kept[0].in_use = true;
  EXPECT_THAT(Expendable(kept, {1, 0, 0}), IsEmpty());
}

}  // namespace
}  // namespace holdfast::backup
