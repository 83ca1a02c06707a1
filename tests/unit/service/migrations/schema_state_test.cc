#include "service/migrations/schema_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/migrations/report.h"
#include "tests/unit/service/migrations/three_steps.h"

namespace holdfast::migrations {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(SchemaState, counts_what_is_applied) {
  EXPECT_EQ(Compare(ThreeSteps(), {}).version, 0);
  EXPECT_FALSE(Compare(ThreeSteps(), {}).current());
  EXPECT_EQ(Compare(ThreeSteps(), Records(2)).version, 2);
  EXPECT_TRUE(Compare(ThreeSteps(), Records(3)).current());
  EXPECT_TRUE(CheckServable(Compare(ThreeSteps(), Records(3))).ok());
}

TEST(SchemaState, an_interrupted_step_is_not_reached) {
  std::vector<Record> records = Records(3);
  for (const auto state : {Record::State::kApplying, Record::State::kReverting}) {
    records.back().state = state;
    const SchemaState compared = Compare(ThreeSteps(), records);
    EXPECT_EQ(compared.version, 2);
    EXPECT_EQ(compared.unfinished->number, 3);
    EXPECT_THAT(CheckServable(compared).error().message(), HasSubstr("step 3 (three) was interrupted"));
  }
  records[1].state = Record::State::kApplying;
  EXPECT_THAT(Compare(ThreeSteps(), records).problems, ElementsAre(HasSubstr("step 2 is applying and a later one")));
}

TEST(SchemaState, every_difference_is_named) {
  std::vector<Record> records = Records(3);
  records[0].up_checksum = std::string(64, 'f');
  records[1].name = "deux";
  records.push_back({4, "four", "", "", Record::State::kApplied, "", "9.9"});
  EXPECT_THAT(Compare(ThreeSteps(), records).problems,
              ElementsAre(HasSubstr("0001_one.up.sql was changed after it was applied (applied: ffffffffffff, now: "),
                          HasSubstr("step 2 was applied as \"deux\" and is called \"two\" here"),
                          HasSubstr("step 4 (four, applied by 9.9) is there, and 3 is the last one known here")));
}

TEST(SchemaState, reports_tell_people_and_programs_the_same) {
  SchemaState state = Compare(ThreeSteps(), Records(2));
  state.problems.push_back("something \"odd\"");
  EXPECT_EQ(StateAsText(ThreeSteps(), state, "holdfast"),
            "schema holdfast: step 2 of 3, not usable with this binary\n"
            "  0001 one                         applied   2026-11-21T08:00:00Z by 1.0\n"
            "  0002 two                         applied   2026-11-21T08:00:00Z by 1.0\n"
            "  0003 three                       pending\n"
            "problem: something \"odd\"\n");
  EXPECT_EQ(StateAsJson(ThreeSteps(), Compare(ThreeSteps(), Records(1)), "holdfast"),
            R"({"schema":"holdfast","version":1,"latest":3,"current":false,"steps":[)"
            R"({"number":1,"name":"one","state":"applied","applied_at":"2026-11-21T08:00:00Z","applied_by":"1.0"},)"
            R"({"number":2,"name":"two","state":"pending"},{"number":3,"name":"three","state":"pending"}],)"
            R"("problems":[]})"
            "\n");
}

}  // namespace
}  // namespace holdfast::migrations
