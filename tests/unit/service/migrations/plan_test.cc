#include "service/migrations/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/migrations/report.h"
#include "tests/unit/service/migrations/three_steps.h"

namespace holdfast::migrations {
namespace {

using testing::HasSubstr;

// "1 up, 2 up resumed", or the error.
std::string Planned(std::vector<Record> records, const Goal& goal) {
  const auto steps = MakePlan(ThreeSteps(), Compare(ThreeSteps(), std::move(records)), goal);
  if (!steps.ok()) return steps.error().message();
  std::string text;
  for (const Step& step : *steps) {
    text += (text.empty() ? "" : ", ") + std::to_string(step.migration->number) + " ";
    text += DirectionName(step.direction);
    if (step.resumes) text += " resumed";
  }
  return text;
}

TEST(MakePlan, leads_up_and_down_in_order) {
  EXPECT_EQ(Planned({}, {}), "1 up, 2 up, 3 up");
  EXPECT_EQ(Planned(Records(1), {Direction::kUp, 2, false}), "2 up");
  EXPECT_EQ(Planned(Records(3), {}), "");
  EXPECT_EQ(Planned(Records(3), {Direction::kDown, 2, false}), "3 down");
  EXPECT_EQ(Planned(Records(3), {Direction::kDown, 0, true}), "3 down, 2 down, 1 down");
  EXPECT_EQ(Planned({}, {Direction::kDown, 0, false}), "");
}

TEST(MakePlan, an_interrupted_step_is_finished_or_taken_back) {
  std::vector<Record> records = Records(2);
  for (const auto state : {Record::State::kApplying, Record::State::kReverting}) {
    records.back().state = state;
    EXPECT_EQ(Planned(records, {}), "2 up resumed, 3 up");
    EXPECT_EQ(Planned(records, {Direction::kDown, 1, true}), "2 down resumed");
    EXPECT_THAT(Planned(records, {Direction::kUp, 1, false}), HasSubstr("the schema is at step 2 already"));
  }
}

TEST(MakePlan, destroys_nothing_without_leave) {
  EXPECT_THAT(Planned(Records(3), {Direction::kDown, 1, false}),
              HasSubstr("0002_two.down.sql destroys what clients stored; back it up, then say --allow-data-loss"));
}

TEST(MakePlan, nothing_is_done_to_a_schema_with_problems) {
  std::vector<Record> records = Records(2);
  records[0].up_checksum = "other";
  EXPECT_THAT(Planned(records, {}), HasSubstr("0001_one.up.sql was changed"));
}

TEST(MakePlan, is_printed_for_people_programs_and_psql) {
  const auto steps = MakePlan(ThreeSteps(), Compare(ThreeSteps(), Records(2)), {Direction::kDown, 1, true});
  ASSERT_TRUE(steps.ok());
  EXPECT_EQ(PlanAsText(*steps, false), "0002_two.down.sql: 1 statements, destroys data\n");
  EXPECT_EQ(PlanAsText(*steps, true),
            "-- 0002_two.down.sql: 1 statements, destroys data\nBEGIN;\nDROP TABLE two;\nCOMMIT;\n");
  EXPECT_EQ(PlanAsJson(*steps),
            R"({"steps":[{"number":2,"name":"two","direction":"down","file":"0002_two.down.sql","statements":1,)"
            R"("transactional":true,"destroys_data":true,"resumes":false}]})"
            "\n");
  EXPECT_EQ(PlanAsText({}, false), "nothing to do\n");
}

}  // namespace
}  // namespace holdfast::migrations
