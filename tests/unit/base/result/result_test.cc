#include "base/result/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

namespace holdfast {
namespace {

Error Missing() {
  return Error(ErrorCode::kNotFound, "no such directory");
}

TEST(Error, ContextReadsFromTheOutermostIntentToTheCause) {
  const Error error = Missing().WithContext("opening store main").WithContext("starting");
  EXPECT_EQ(error.message(), "starting: opening store main: no such directory");
  EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  EXPECT_EQ(error.ToString(), "not_found: starting: opening store main: no such directory");
}

TEST(Error, EveryCodeHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    names.insert(ErrorCodeName(static_cast<ErrorCode>(code)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(ErrorCode::kInternal) + 1);
  EXPECT_EQ(ErrorCodeName(ErrorCode::kOutcomeUnknown), "outcome_unknown");
}

TEST(Result, HoldsAValueOrAnError) {
  const Result<int> value = 7;
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(*value, 7);

  const Result<int> error = Missing();
  ASSERT_FALSE(error.ok());
  EXPECT_EQ(error.error().code(), ErrorCode::kNotFound);
}

TEST(Result, CarriesTypesThatOnlyMove) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(3);
  const std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 3);
}

TEST(Result, ContextLeavesAValueAlone) {
  EXPECT_EQ(*Result<int>(4).WithContext("reading"), 4);
  EXPECT_EQ(Result<int>(Missing()).WithContext("reading").error().message(), "reading: no such directory");
}

TEST(Status, ContextLeavesSuccessAlone) {
  EXPECT_TRUE(Status::Ok().WithContext("closing").ok());
  EXPECT_EQ(Status(Missing()).WithContext("closing").error().message(), "closing: no such directory");
}

Result<int> Half(int number) {
  if (number % 2 != 0) return Error(ErrorCode::kInvalidArgument, "odd");
  return number / 2;
}

Result<int> Quarter(int number) {
  HOLDFAST_ASSIGN_OR_RETURN(const int half, Half(number));
  HOLDFAST_ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

Status MustHalve(int number, bool* reached) {
  HOLDFAST_RETURN_IF_ERROR(Half(number));
  *reached = true;
  return {};
}

TEST(Macros, ReturnTheFirstErrorAndNothingAfterItRuns) {
  EXPECT_EQ(*Quarter(12), 3);
  EXPECT_EQ(Quarter(6).error().message(), "odd");
  bool reached = false;
  EXPECT_FALSE(MustHalve(3, &reached).ok());
  EXPECT_FALSE(reached);
  EXPECT_TRUE(MustHalve(4, &reached).ok());
  EXPECT_TRUE(reached);
}

TEST(ResultDeathTest, ReadingTheValueOfAFailureAborts) {
  const Result<int> error = Missing();
  EXPECT_DEATH(static_cast<void>(error.value()), "");
  const Status ok;
  EXPECT_DEATH(static_cast<void>(ok.error()), "");
}

}  // namespace
}  // namespace holdfast
