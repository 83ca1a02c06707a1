#include "operator/api/v1/condition.h"

#include <chrono>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdfast::api {
namespace {

using std::chrono::seconds;

class ConditionTest : public ::testing::Test {
 protected:
  void Set(ConditionStatus status, const std::string& reason, std::int64_t generation) {
    SetCondition(&conditions_, {.type = "Ready", .status = status, .reason = reason, .observed_generation = generation},
                 clock_.Now());
  }
  ManualClock clock_{Timestamp{seconds{1'700'000'000}}};
  std::vector<Condition> conditions_;
};

TEST_F(ConditionTest, ANewConditionBeginsNow) {
  Set(ConditionStatus::kFalse, "RollingOut", 1);
  ASSERT_EQ(conditions_.size(), 1u);
  EXPECT_EQ(conditions_[0].last_transition_time, "2023-11-14T22:13:20Z");
}

TEST_F(ConditionTest, OnlyAFlipMovesTheTime) {
  Set(ConditionStatus::kFalse, "RollingOut", 1);
  clock_.Advance(seconds{60});
  Set(ConditionStatus::kFalse, "InvalidSpec", 2);
  EXPECT_EQ(conditions_[0].reason, "InvalidSpec");
  EXPECT_EQ(conditions_[0].observed_generation, 2);
  EXPECT_EQ(conditions_[0].last_transition_time, "2023-11-14T22:13:20Z");
  Set(ConditionStatus::kTrue, "Available", 2);
  EXPECT_EQ(conditions_[0].last_transition_time, "2023-11-14T22:14:20Z");
}

TEST_F(ConditionTest, FractionsOfASecondAreCutOff) {
  clock_.Advance(std::chrono::milliseconds{900});
  Set(ConditionStatus::kTrue, "Available", 1);
  EXPECT_EQ(conditions_[0].last_transition_time, "2023-11-14T22:13:20Z");
}

TEST_F(ConditionTest, OrderAndOthersStay) {
  SetCondition(&conditions_, {.type = "Other", .status = ConditionStatus::kUnknown, .reason = "Foreign"}, clock_.Now());
  Set(ConditionStatus::kTrue, "Available", 1);
  const std::vector<Condition> before = conditions_;
  Set(ConditionStatus::kTrue, "Available", 1);
  EXPECT_EQ(conditions_, before);
  ASSERT_NE(FindCondition(conditions_, "Other"), nullptr);
  EXPECT_EQ(FindCondition(conditions_, "Absent"), nullptr);
}

TEST_F(ConditionTest, JsonRoundTrips) {
  Set(ConditionStatus::kTrue, "Available", 7);
  SetCondition(&conditions_, {.type = "Degraded", .status = ConditionStatus::kFalse, .reason = "AsExpected"},
               clock_.Now());
  EXPECT_EQ(ConditionsFromJson(ConditionsToJson(conditions_)), conditions_);
}

TEST_F(ConditionTest, DamagedEntriesAreLeftOut) {
  const auto list = nlohmann::json::parse(R"([1, {}, {"type": 5}, {"type": "Ready", "status": "Maybe"}])");
  const std::vector<Condition> read = ConditionsFromJson(list);
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].status, ConditionStatus::kUnknown);
  EXPECT_TRUE(ConditionsFromJson("no list").empty());
}

}  // namespace
}  // namespace holdfast::api
