#include "service/transfer_progress.h"

#include <gtest/gtest.h>

namespace holdfast::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TransferProgress::Time kStart{};

TEST(TransferProgress, TellsPeopleEachSecondHowFast) {
  TransferProgress progress("imported", true, kStart);
  EXPECT_FALSE(progress.Due(10, kStart + milliseconds(999)));
  const auto first = progress.Due(30, kStart + milliseconds(1500));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->items, 30u);
  EXPECT_EQ(first->per_second, 20u);
  EXPECT_FALSE(progress.Due(40, kStart + milliseconds(2000)));
  const auto second = progress.Due(130, kStart + milliseconds(2500));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->items, 130u);
  EXPECT_EQ(second->per_second, 100u) << "since the last one, not since the start";
}

TEST(TransferProgress, TellsALogEachTenSeconds) {
  TransferProgress progress("imported", false, kStart);
  EXPECT_FALSE(progress.Due(10, kStart + seconds(9)));
  ASSERT_TRUE(progress.Due(10, kStart + seconds(10)));
  EXPECT_FALSE(progress.Due(20, kStart + seconds(19)));
  EXPECT_TRUE(progress.Due(20, kStart + seconds(20)));
}

TEST(TransferProgress, WritesTheLogAsItWritesEverythingElse) {
  TransferProgress progress("exported", false, kStart);
  testing::internal::CaptureStderr();
  progress.Tell(7);
  progress.Say("line 3: no item");
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("exported"), std::string::npos) << text;
  EXPECT_NE(text.find('7'), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("line 3: no item\n")) << text;
}

TEST(TransferProgress, ALineForPeopleGoesBeforeOneThatStays) {
  testing::internal::CaptureStderr();
  {
    TransferProgress progress("imported", true, kStart);
    progress.Tell(7);
    progress.Say("line 3: no item");
  }
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.find("\r\x1b[K7 items imported"), 0u) << text;
  EXPECT_TRUE(text.ends_with("\r\x1b[Kline 3: no item\n")) << text;
}

}  // namespace
}  // namespace holdfast::service
