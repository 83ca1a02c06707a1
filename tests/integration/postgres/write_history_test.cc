// An audit that cannot fail proves nothing: it finds each kind of loss.
#include "tests/integration/postgres/write_history.h"

#include <gmock/gmock.h>

namespace holdfast {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(WriteHistory, EachOutcomeAllowsWhatItSays) {
  WriteHistory history;
  history.RecordWrite({{"kept", "1"}}, Told::kAcknowledged);
  history.RecordWrite({{"refused", "1"}}, Told::kRefused);
  history.RecordWrite({{"done", "1"}}, Told::kUnknown);
  history.RecordWrite({{"undone", "1"}}, Told::kUnknown);
  history.RecordIncrement("n", Told::kAcknowledged);
  history.RecordIncrement("n", Told::kUnknown);
  history.RecordIncrement("n", Told::kRefused);
  EXPECT_THAT(history.Complaints({{"kept", "1"}, {"done", "1"}, {"n", "1"}}), IsEmpty());
  EXPECT_THAT(history.Complaints({{"kept", "1"}, {"n", "2"}}), IsEmpty());
}

TEST(WriteHistory, OnlyWhatWasAcknowledgedWithinTheWindowMayBeLost) {
  using Clock = std::chrono::steady_clock;
  WriteHistory history;
  const auto begin = Clock::now();
  history.RecordWrite({{"a", "1"}}, Told::kAcknowledged);
  history.RecordIncrement("n", Told::kAcknowledged);
  const WriteHistory::Window now{begin, Clock::now()};
  const WriteHistory::Window before{begin - std::chrono::hours{1}, begin - std::chrono::nanoseconds{1}};
  EXPECT_THAT(history.Complaints({}, now), IsEmpty());
  EXPECT_THAT(history.Complaints({{"a", "2"}}, now), ElementsAre("a has another value than was written"));
  EXPECT_THAT(history.Complaints({{"n", "1"}}, before), ElementsAre("a is lost"));
  EXPECT_THAT(history.Complaints({{"a", "1"}}, before),
              ElementsAre("n is 0, with 1 increments acknowledged and 0 unknown"));
  EXPECT_EQ(history.Lost({}), 2u);
  EXPECT_EQ(history.Lost({{"a", "1"}, {"n", "1"}}), 0u);
}

TEST(WriteHistory, EveryLossIsFound) {
  WriteHistory history;
  history.RecordWrite({{"a", "1"}}, Told::kAcknowledged);
  history.RecordWrite({{"b", "1"}}, Told::kRefused);
  history.RecordWrite({{"c/1", "1"}, {"c/2", "1"}}, Told::kUnknown);
  history.RecordIncrement("n", Told::kAcknowledged);
  EXPECT_THAT(history.Complaints({{"n", "1"}}), ElementsAre("a is lost"));
  EXPECT_THAT(history.Complaints({{"a", "2"}, {"n", "1"}}), ElementsAre("a has another value than was written"));
  EXPECT_THAT(history.Complaints({{"a", "1"}, {"b", "1"}, {"n", "1"}}), ElementsAre("b was refused and is there"));
  EXPECT_THAT(history.Complaints({{"a", "1"}, {"c/2", "1"}, {"n", "1"}}), ElementsAre("c/1 was written in part"));
  EXPECT_THAT(history.Complaints({{"a", "1"}}), ElementsAre("n is 0, with 1 increments acknowledged and 0 unknown"));
  EXPECT_THAT(history.Complaints({{"a", "1"}, {"n", "2"}}),
              ElementsAre("n is 2, with 1 increments acknowledged and 0 unknown"));
  EXPECT_THAT(history.Complaints({{"a", "1"}, {"n", "1"}, {"z", "1"}}), ElementsAre("z is there, and nobody wrote it"));
  history.RecordStrange("500");
  EXPECT_THAT(history.Complaints({{"a", "1"}, {"n", "1"}}), ElementsAre("500"));
}

}  // namespace
}  // namespace holdfast
