#include "service/resilience/evidence.h"

#include <gmock/gmock.h>

namespace holdfast::resilience {
namespace {

using storage::Operation;
using storage::OperationResult;
using testing::ElementsAre;
using testing::IsEmpty;

Status Code(ErrorCode code) {
  return Error(code, "x");
}

TEST(Evidence, WhatTheBackendSaysOfTheOperationIsAnAnswer) {
  EXPECT_EQ(EvidenceOf({}, true), Evidence::kAnswered);
  for (const ErrorCode code : {ErrorCode::kNotFound, ErrorCode::kVersionConflict, ErrorCode::kFenced,
                               ErrorCode::kResourceExhausted, ErrorCode::kCorruption, ErrorCode::kInternal}) {
    EXPECT_EQ(EvidenceOf(Code(code), true), Evidence::kAnswered) << ErrorCodeName(code);
  }
}

TEST(Evidence, WhatEndedByTheCallersHasteIsNone) {
  for (const ErrorCode code : {ErrorCode::kDeadlineExceeded, ErrorCode::kOutcomeUnknown}) {
    EXPECT_EQ(EvidenceOf(Code(code), false), Evidence::kNone);
    EXPECT_EQ(EvidenceOf(Code(code), true), Evidence::kFailed);
  }
  EXPECT_EQ(EvidenceOf(Code(ErrorCode::kUnavailable), false), Evidence::kFailed);
  EXPECT_EQ(EvidenceOf(Code(ErrorCode::kInvalidArgument), true), Evidence::kNone);
}

TEST(Evidence, OnlyWhatWasNotDoneMayBeTriedAgain) {
  EXPECT_TRUE(MayRetry(Code(ErrorCode::kUnavailable)));
  for (const ErrorCode code : {ErrorCode::kOutcomeUnknown, ErrorCode::kDeadlineExceeded, ErrorCode::kCircuitOpen,
                               ErrorCode::kVersionConflict, ErrorCode::kInternal}) {
    EXPECT_FALSE(MayRetry(Code(code))) << ErrorCodeName(code);
  }
  EXPECT_FALSE(MayRetry({}));
}

TEST(Evidence, OfABatchOnlyWhatNothingOvertookMayBeTriedAgain) {
  const std::vector<Operation> operations = {Operation::Put("a", "1"), Operation::Put("b", "1"),
                                             Operation::Put("a", "2"), Operation::Get("c"), Operation::Put("b", "2")};
  std::vector<OperationResult> results(operations.size());
  const auto fail = [&](std::initializer_list<std::size_t> which, ErrorCode code) {
    for (const std::size_t i : which) results[i].status = Code(code);
  };
  EXPECT_THAT(Retryable(operations, results), IsEmpty());
  fail({0, 1, 2, 3}, ErrorCode::kUnavailable);
  // The second write of b took effect: the first may not come behind it.
  EXPECT_THAT(Retryable(operations, results), ElementsAre(0, 2, 3));
  fail({4}, ErrorCode::kUnavailable);
  EXPECT_THAT(Retryable(operations, results), ElementsAre(0, 1, 2, 3, 4));
  fail({2}, ErrorCode::kOutcomeUnknown);
  EXPECT_THAT(Retryable(operations, results), ElementsAre(1, 3, 4));
}

}  // namespace
}  // namespace holdfast::resilience
