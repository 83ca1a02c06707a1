#include "operator/kube/api_error.h"

#include <gmock/gmock.h>

namespace holdfast::kube {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

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

TEST(ApiError, WhatOnlyAPersonCanMendEndsWithTheRemedy) {
  const auto words = [](int code, const std::string& body) { return ErrorFromResponse(code, body, false).message(); };
  EXPECT_THAT(words(404, "404 page not found\n"),
              AllOf(StartsWith("404 page not found (HTTP 404); "), HasSubstr("kubectl apply --server-side -f crds/")));
  const std::string right =
      R"(pods is forbidden: User "x" cannot list resource "pods" in API group "" at the cluster scope)";
  EXPECT_THAT(words(403, StatusBody(403, "Forbidden", right)),
              AllOf(StartsWith(right), HasSubstr("holdfast-operator rbac"), HasSubstr("RoleBinding")));
  EXPECT_THAT(words(401, StatusBody(401, "Unauthorized", "Unauthorized")), HasSubstr("renew the token"));
}

TEST(ApiError, OtherRefusalsSayNothingOfRightsAndDefinitions) {
  const auto words = [](int code, const std::string& reason, const std::string& message) {
    return ErrorFromResponse(code, StatusBody(code, reason, message), false).message();
  };
  EXPECT_EQ(words(403, "Forbidden", "exceeded quota: few"), "exceeded quota: few (HTTP 403 Forbidden)");
  EXPECT_EQ(words(404, "NotFound", "pods \"a\" not found"), "pods \"a\" not found (HTTP 404 NotFound)");
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
