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

}  // namespace
}  // namespace holdfast::backup
