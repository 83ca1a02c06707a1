// What servers refuse with: which of it may pass, and which setting the rest is about.
#include "service/s3/refusal.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace holdfast::s3 {
namespace {

using testing::HasSubstr;
using testing::Not;

Refusal Of(int status, const std::string& code, const std::string& message = "") {
  http::ClientResponse response;
  response.status = status;
  response.body = fmt::format("<Error><Code>{}</Code><Message>{}</Message></Error>", code, message);
  return ReadRefusal(response);
}

BucketOptions Options() {
  BucketOptions options;
  options.endpoint = "https://s3.example.com";
  options.bucket = "backups";
  options.region = "eu-1";
  return options;
}

TEST(Refusal, WhatMayPassIsTriedAgain) {
  for (const auto& [status, code] : std::vector<std::pair<int, std::string>>{{503, "SlowDown"},
                                                                             {500, "InternalError"},
                                                                             {400, "RequestTimeout"},
                                                                             {400, "BadDigest"},
                                                                             {400, "XAmzContentSHA256Mismatch"},
                                                                             {409, "OperationAborted"},
                                                                             {409, "ConditionalRequestConflict"},
                                                                             {429, ""},
                                                                             {502, ""}}) {
    EXPECT_TRUE(MayPass(Of(status, code))) << status << code;
  }
  for (const auto& [status, code] : std::vector<std::pair<int, std::string>>{{403, "AccessDenied"},
                                                                             {404, "NoSuchKey"},
                                                                             {412, "PreconditionFailed"},
                                                                             {400, "InvalidRequest"},
                                                                             {501, "NotImplemented"},
                                                                             {301, ""}}) {
    EXPECT_FALSE(MayPass(Of(status, code))) << status << code;
  }
}

TEST(Refusal, OnlySomeLeaveOpenWhetherItWasDone) {
  EXPECT_TRUE(MayHaveTakenEffect(Of(500, "InternalError")));
  EXPECT_TRUE(MayHaveTakenEffect(Of(504, "")));
  EXPECT_FALSE(MayHaveTakenEffect(Of(503, "SlowDown")));
  EXPECT_FALSE(MayHaveTakenEffect(Of(400, "BadDigest")));
}

struct Meant {
  int status;
  const char* code;
  ErrorCode means;
  const char* about;
};

TEST(Refusal, EachNamesItsSettingOrRemedy) {
  for (const Meant& one :
       {Meant{404, "NoSuchBucket", ErrorCode::kFailedPrecondition, "backups.s3.bucket"},
        Meant{403, "InvalidAccessKeyId", ErrorCode::kFailedPrecondition, "backups.s3.access_key_file"},
        Meant{403, "SignatureDoesNotMatch", ErrorCode::kFailedPrecondition, "backups.s3.secret_key_file"},
        Meant{403, "AccessDenied", ErrorCode::kFailedPrecondition, "allow it to list"},
        Meant{403, "RequestTimeTooSkewed", ErrorCode::kFailedPrecondition, "NTP"},
        Meant{301, "PermanentRedirect", ErrorCode::kFailedPrecondition, "backups.s3.region is eu-1"},
        Meant{400, "EntityTooSmall", ErrorCode::kFailedPrecondition, "backups.s3.part_bytes"},
        Meant{507, "", ErrorCode::kResourceExhausted, "holdfast backup prune"},
        Meant{403, "QuotaExceeded", ErrorCode::kResourceExhausted, "quota"},
        Meant{501, "NotImplemented", ErrorCode::kNotSupported, "does not know how"},
        Meant{503, "SlowDown", ErrorCode::kUnavailable, "503 SlowDown"},
        Meant{418, "Teapot", ErrorCode::kFailedPrecondition, "418 Teapot"}}) {
    const Error error = Explain(Of(one.status, one.code), Options());
    EXPECT_EQ(error.code(), one.means) << one.code;
    EXPECT_THAT(error.message(), HasSubstr(one.about));
    EXPECT_THAT(error.message(), HasSubstr("https://s3.example.com"));
  }
}

TEST(Refusal, OfAReaderNamesItsOwnSettingsAndRights) {
  BucketOptions options = Options();
  options.setting = "backups.source.s3";
  options.only_read = true;
  EXPECT_THAT(Explain(Of(404, "NoSuchBucket"), options).message(), HasSubstr("backups.source.s3.bucket"));
  const std::string denied = Explain(Of(403, "AccessDenied"), options).message();
  EXPECT_THAT(denied, HasSubstr("backups.source.s3.access_key_file"));
  EXPECT_THAT(denied, Not(HasSubstr("delete")));
}

TEST(Refusal, AServersWordsAreShortenedAndMadePlain) {
  const Refusal refusal = Of(400, std::string(200, 'c'), "line\nbreak " + std::string(500, 'm'));
  EXPECT_LE(refusal.code.size(), 64u);
  EXPECT_LE(refusal.message.size(), 200u);
  EXPECT_THAT(refusal.message, Not(HasSubstr("\n")));
  http::ClientResponse none;
  none.status = 403;
  none.body = "<html>go away</html>";
  EXPECT_EQ(ReadRefusal(none).code, "");
}

}  // namespace
}  // namespace holdfast::s3
