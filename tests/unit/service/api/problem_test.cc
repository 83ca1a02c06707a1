#include "service/api/problem.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

namespace holdfast::api {
namespace {

TEST(ProblemTest, HasEveryMemberOfTheContract) {
  Problem problem = Problem::Of("version_conflict", "the key has version 9");
  problem.current_version = 9;
  const Response response = ProblemResponse(problem, "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(response.status, 412);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(nlohmann::json::parse(response.body), (nlohmann::json{{"type", "urn:holdfast:problem:version_conflict"},
                                                                  {"title", "The key has another version"},
                                                                  {"status", 412},
                                                                  {"detail", "the key has version 9"},
                                                                  {"code", "version_conflict"},
                                                                  {"retryable", false},
                                                                  {"trace_id", "0af7651916cd43dd8448eb211c80319c"}}));
  EXPECT_EQ(response.etag, 9U);
  EXPECT_THAT(response.headers, testing::IsEmpty());
}

TEST(ProblemTest, TellsWhenToComeBack) {
  for (const ProblemKind& kind : ProblemKinds()) {
    const bool must = kind.status == 429 || kind.status == 503 || kind.status == 507;
    EXPECT_TRUE(!must || kind.retry_after_seconds > 0) << kind.code;
  }
}

TEST(ProblemTest, EveryErrorCodeHasARowOfItsOwn) {
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    const auto error = static_cast<ErrorCode>(code);
    const ProblemKind& kind = FindProblemKind(error);
    EXPECT_TRUE(kind.code != "internal" || error == ErrorCode::kInternal) << ErrorCodeName(error);
  }
  // A lost acknowledgement is never a clean failure, and never something to repeat blindly.
  EXPECT_FALSE(FindProblemKind(ErrorCode::kOutcomeUnknown).retryable);
  EXPECT_EQ(FindProblemKind(ErrorCode::kOutcomeUnknown).status, 504);
}

TEST(ProblemTest, CodesAreTheOnesOfTheContract) {
  std::set<std::string_view> codes;
  for (const ProblemKind& kind : ProblemKinds()) EXPECT_TRUE(codes.insert(kind.code).second) << kind.code;
  const std::set<std::string_view> expected = {"not_found",         "already_exists",
                                               "version_conflict",  "fenced",
                                               "invalid_argument",  "failed_precondition",
                                               "too_large",         "quota_exceeded",
                                               "rate_limited",      "forbidden",
                                               "unauthenticated",   "unavailable",
                                               "circuit_open",      "corruption",
                                               "outcome_unknown",   "not_supported",
                                               "conflict",          "held",
                                               "deadline_exceeded", "internal"};
  EXPECT_EQ(codes, expected);
}

TEST(ProblemTest, ADetailThatIsNotUtf8StaysJson) {
  const Response response = ProblemResponse(Problem::Of("internal", "\xff"), "1");
  EXPECT_EQ(nlohmann::json::parse(response.body).at("detail"), "/w==");
}

// docs/errors.md is this table for readers.
TEST(ProblemTest, DocumentedRowByRow) {
  std::ifstream file(HOLDFAST_DOCS "/errors.md");
  std::stringstream text;
  text << file.rdbuf();
  for (const ProblemKind& kind : ProblemKinds()) {
    const std::string retry = kind.retry_after_seconds > 0 ? fmt::format("{} s", kind.retry_after_seconds) : "-";
    const std::string row =
        fmt::format("| `{}` | {} | {} | {} |", kind.code, kind.status, kind.retryable ? "yes" : "no", retry);
    EXPECT_THAT(text.str(), testing::HasSubstr(row));
  }
}

}  // namespace
}  // namespace holdfast::api
