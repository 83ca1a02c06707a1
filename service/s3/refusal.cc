#include "service/s3/refusal.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "service/s3/xml.h"

namespace holdfast::s3 {
namespace {

constexpr std::size_t kMaxMessageBytes = 200;
constexpr std::size_t kMaxCodeBytes = 64;
constexpr int kOk = 200;
constexpr int kMovedPermanently = 301;
constexpr int kTemporaryRedirect = 307;
constexpr int kForbidden = 403;
constexpr int kRequestTimeout = 408;
constexpr int kTooManyRequests = 429;
constexpr int kInternalServerError = 500;
constexpr int kNotImplemented = 501;
constexpr int kBadGateway = 502;
constexpr int kServiceUnavailable = 503;
constexpr int kGatewayTimeout = 504;
constexpr int kInsufficientStorage = 507;

template <std::size_t N>
bool IsOneOf(std::string_view code, const std::array<std::string_view, N>& codes) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

constexpr std::array<std::string_view, 10> kPassing = {
    "SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "OperationAborted", "BadDigest",
    "IncompleteBody", "XAmzContentSHA256Mismatch", "ThrottlingException",
    // Of a conditional write beside which another one, or a deletion, is under way.
    "ConditionalRequestConflict"};
constexpr std::array<std::string_view, 4> kElsewhere = {"AuthorizationHeaderMalformed", "PermanentRedirect",
                                                        "TemporaryRedirect", "IllegalLocationConstraintException"};
constexpr std::array<std::string_view, 3> kFull = {"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage"};

// It goes into logs and answers.
std::string Plain(std::string_view text, std::size_t most) {
  std::string plain(text.substr(0, most));
  for (char& c : plain) {
    if (static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) >= 0x7F) c = ' ';
  }
  return plain;
}

struct Meaning {
  ErrorCode code = ErrorCode::kFailedPrecondition;
  std::string text;
};

Meaning MeaningOf(const Refusal& refusal, const BucketOptions& options) {
  const std::string& code = refusal.code;
  if (IsOneOf(code, kFull) || refusal.status == kInsufficientStorage) {
    return {ErrorCode::kResourceExhausted,
            "it has no room: raise its quota, or remove backups (holdfast backup prune)"};
  }
  if (code == "NoSuchBucket") {
    return {ErrorCode::kFailedPrecondition,
            fmt::format("there is no bucket {} ({}.bucket): create it there", options.bucket, options.setting)};
  }
  if (code == "InvalidAccessKeyId") {
    return {ErrorCode::kFailedPrecondition,
            fmt::format("it does not know the key in {}.access_key_file", options.setting)};
  }
  if (code == "SignatureDoesNotMatch") {
    return {ErrorCode::kFailedPrecondition,
            fmt::format("the keys in {0}.access_key_file and {0}.secret_key_file are not of each other, or something "
                        "between us changes requests",
                        options.setting)};
  }
  if (code == "RequestTimeTooSkewed") {
    return {ErrorCode::kFailedPrecondition, "its clock and ours differ too much: set them by NTP"};
  }
  const bool moved = refusal.status == kMovedPermanently || refusal.status == kTemporaryRedirect;
  if (moved || IsOneOf(code, kElsewhere)) {
    return {ErrorCode::kFailedPrecondition, fmt::format("the bucket is elsewhere: {0}.region is {1}, {0}.endpoint {2}",
                                                        options.setting, options.region, options.endpoint)};
  }
  if (code == "EntityTooSmall" || code == "EntityTooLarge") {
    return {ErrorCode::kFailedPrecondition,
            fmt::format("it does not take parts of {} bytes ({}.part_bytes)", options.part_bytes, options.setting)};
  }
  if (refusal.status == kNotImplemented || code == "NotImplemented") {
    return {ErrorCode::kNotSupported, options.server_side_encryption.empty()
                                          ? "it does not know how to do that"
                                          : fmt::format("it does not know how to do that; it may be "
                                                        "backups.s3.server_side_encryption ({})",
                                                        options.server_side_encryption)};
  }
  if (refusal.status == kForbidden) {
    return {ErrorCode::kFailedPrecondition,
            fmt::format("the key in {}.access_key_file may not do that: {}", options.setting,
                        options.only_read ? "allow it to list the bucket, and to read objects"
                                          : "allow it to list the bucket and its multipart uploads, and to read, write "
                                            "and delete objects")};
  }
  return {refusal.status >= kInternalServerError ? ErrorCode::kUnavailable : ErrorCode::kFailedPrecondition,
          refusal.message};
}

}  // namespace

bool HasErrorBody(const http::ClientResponse& response) {
  const Result<XmlElement> root = ParseXml(response.body);
  return root.ok() && root->name == "Error";
}

Refusal ReadRefusal(const http::ClientResponse& response) {
  Refusal refusal;
  refusal.status = response.status;
  const Result<XmlElement> root = ParseXml(response.body);
  if (root.ok() && root->name == "Error") {
    refusal.code = Plain(root->TextOf("Code"), kMaxCodeBytes);
    refusal.message = Plain(root->TextOf("Message"), kMaxMessageBytes);
  }
  return refusal;
}

bool MayPass(const Refusal& refusal) {
  switch (refusal.status) {
    case kRequestTimeout:
    case kTooManyRequests:
    case kInternalServerError:
    case kBadGateway:
    case kServiceUnavailable:
    case kGatewayTimeout:
      return true;
    default:
      return IsOneOf(refusal.code, kPassing);
  }
}

bool MayHaveTakenEffect(const Refusal& refusal) {
  switch (refusal.status) {
    case kOk:  // an error in the body of one that was begun
    case kInternalServerError:
    case kBadGateway:
    case kGatewayTimeout:
      return true;
    default:
      return false;
  }
}

Error Explain(const Refusal& refusal, const BucketOptions& options) {
  const Meaning meaning = MeaningOf(refusal, options);
  return Error(meaning.code, fmt::format("{} refused with {}{}{}{}{}", options.endpoint, refusal.status,
                                         refusal.code.empty() ? "" : " ", refusal.code,
                                         meaning.text.empty() ? "" : ": ", meaning.text));
}

}  // namespace holdfast::s3
