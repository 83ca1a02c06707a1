#include "operator/kube/api_error.h"

namespace holdfast::kube {
namespace {

std::string StatusBody(int code, const std::string& reason, const std::string& message) {
  return Json{{"kind", "Status"}, {"status", "Failure"}, {"code", code}, {"reason", reason}, {"message", message}}
      .dump();
}

TEST(ApiError, TheTableOfTheContract) {
  struct Row {
    int status;
    const char* reason;
    ErrorCode code;
  };
  for (const Row& row : {Row{404, "NotFound", ErrorCode::kNotFound},
                         {409, "AlreadyExists", ErrorCode::kAlreadyExists},
                         {409, "Conflict", ErrorCode::kVersionConflict},
                         {410, "Expired", ErrorCode::kFailedPrecondition},
                         {410, "Gone", ErrorCode::kFailedPrecondition},
                         {400, "BadRequest", ErrorCode::kInvalidArgument},
                         {422, "Invalid", ErrorCode::kInvalidArgument},
                         {401, "Unauthorized", ErrorCode::kFailedPrecondition},
                         {403, "Forbidden", ErrorCode::kFailedPrecondition},
                         {413, "RequestEntityTooLarge", ErrorCode::kResourceExhausted},
                         {415, "UnsupportedMediaType", ErrorCode::kNotSupported},
                         {429, "TooManyRequests", ErrorCode::kUnavailable},
                         {500, "InternalError", ErrorCode::kUnavailable},
                         {503, "ServiceUnavailable", ErrorCode::kUnavailable},
                         {302, "", ErrorCode::kUnavailable}}) {
    for (const bool write : {false, true}) {
      const Error error = ErrorFromResponse(row.status, StatusBody(row.status, row.reason, "the words"), write);
      EXPECT_EQ(error.code(), row.code) << row.status << row.reason;
      EXPECT_NE(error.message().find("the words"), std::string::npos);
      EXPECT_NE(error.message().find(std::to_string(row.status)), std::string::npos);
    }
  }
}

TEST(ApiError, AWriteTheServerGaveUpWaitingForIsUnknown) {
  EXPECT_EQ(ErrorFromResponse(504, StatusBody(504, "Timeout", "x"), true).code(), ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(ErrorFromResponse(504, StatusBody(504, "Timeout", "x"), false).code(), ErrorCode::kUnavailable);
  EXPECT_EQ(ErrorFromResponse(500, StatusBody(500, "InternalError", "etcdserver: request timed out"), true).code(),
            ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(ErrorFromResponse(500, StatusBody(500, "", "etcdserver: mvcc: database space exceeded"), true).code(),
            ErrorCode::kUnavailable);
}

TEST(ApiError, AVersionTheServerHasNotReachedAsksForAFreshList) {
  Json status = Json::parse(StatusBody(504, "Timeout", "Too large resource version: 99, current: 5"));
  EXPECT_EQ(ErrorFromResponse(504, status.dump(), false).code(), ErrorCode::kFailedPrecondition);
  status["message"] = "another wording";
  status["details"]["causes"] = Json::array({{{"reason", "ResourceVersionTooLarge"}}});
  EXPECT_EQ(ErrorFromResponse(504, status.dump(), false).code(), ErrorCode::kFailedPrecondition);
}

TEST(ApiError, BodiesThatAreNoStatusAreQuotedShortly) {
  const Error error = ErrorFromResponse(502, "<html>Bad\r\nGateway" + std::string(10'000, 'x'), false);
  EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  EXPECT_LT(error.message().size(), 400u);
  EXPECT_EQ(error.message().find('\n'), std::string::npos);
  for (const char* body : {"", "null", "[]", "{\"details\":{\"causes\":7}}", "{\"message\":5}"}) {
    EXPECT_EQ(ErrorFromResponse(404, body, false).code(), ErrorCode::kNotFound) << body;
  }
}

TEST(ApiError, EventStatuses) {
  EXPECT_EQ(ErrorFromStatus(Json::parse(StatusBody(410, "Expired", "too old"))).code(), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(ErrorFromStatus(Json::parse(R"({"reason":"Gone"})")).code(), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(ErrorFromStatus(Json::object()).code(), ErrorCode::kUnavailable);
}

TEST(ApiError, LostAnswers) {
  for (const ErrorCode code : {ErrorCode::kDeadlineExceeded, ErrorCode::kOutcomeUnknown}) {
    EXPECT_EQ(ErrorFromTransport(Error(code, "lost"), true).code(), ErrorCode::kOutcomeUnknown);
  }
  EXPECT_EQ(ErrorFromTransport(Error(ErrorCode::kResourceExhausted, "long"), true).code(), ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(ErrorFromTransport(Error(ErrorCode::kUnavailable, "refused"), true).code(), ErrorCode::kUnavailable);
  EXPECT_EQ(ErrorFromTransport(Error(ErrorCode::kDeadlineExceeded, "late"), false).code(),
            ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(ErrorFromTransport(Error(ErrorCode::kOutcomeUnknown, "lost"), false).code(), ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace holdfast::kube
