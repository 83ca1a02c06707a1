#include "service/s3/creation.h"

#include <fmt/format.h>

#include <random>
#include <utility>

namespace holdfast::s3 {
namespace {

constexpr int kNotFoundStatus = 404;
constexpr int kPreconditionFailed = 412;
constexpr int kRangeNotSatisfiable = 416;
// Kept with an object and given back with it.
constexpr std::string_view kWriterHeader = "x-amz-meta-holdfast-writer";
constexpr std::string_view kProbe = "Whether this server can create an object only where there is none.\n";

std::string DrawWriter() {
  std::random_device random;
  std::string name;
  for (int i = 0; i < 4; ++i) name += fmt::format("{:08x}", random());
  return name;
}

Call CreateCall(const std::string& key, std::string_view bytes, const http::Headers& headers) {
  Call call = PutCall(key, bytes, headers);
  call.headers["If-None-Match"] = "*";
  return call;
}

}  // namespace

Error Taken() {
  return {ErrorCode::kAlreadyExists, "there is such an object already"};
}

Call PutCall(const std::string& key, std::string_view bytes, http::Headers headers) {
  Call call;
  call.method = "PUT";
  call.key = key;
  call.headers = std::move(headers);
  call.headers["Content-MD5"] = Md5Base64(bytes);
  call.body = bytes;
  return call;
}

Result<bool> CanCreate(Caller& caller, const std::string& key, const http::Headers& headers, Deadline deadline) {
  // The first one may have made it; the second one finds it there.
  for (int count = 0; count < 2; ++count) {
    HOLDFAST_ASSIGN_OR_RETURN(const Answer answer, caller.Send(CreateCall(key, kProbe, headers), deadline));
    if (!answer.refusal) continue;
    if (answer.refusal->status == kPreconditionFailed) return true;
    // It may be the condition that is refused, in whatever words, or every PUT.
    HOLDFAST_ASSIGN_OR_RETURN(const Answer plain, caller.Send(PutCall(key, kProbe, headers), deadline));
    if (plain.refusal) return caller.Refused(plain);
    return false;
  }
  return false;
}

Status CreateObject(Caller& caller, const std::string& key, std::string_view bytes, const http::Headers& headers,
                    Deadline deadline) {
  const std::string writer = DrawWriter();
  Call call = CreateCall(key, bytes, headers);
  call.headers[std::string(kWriterHeader)] = writer;
  HOLDFAST_ASSIGN_OR_RETURN(const Answer answer, caller.Send(call, deadline));
  if (!answer.refusal) return {};
  if (answer.refusal->status != kPreconditionFailed) return caller.Refused(answer);
  if (!answer.done_before) return Taken();
  const auto found = ReadWriter(caller, key, deadline);
  if (!found.ok()) return Error(ErrorCode::kOutcomeUnknown, found.error().message());
  if (*found == writer) return {};
  if (*found) return Taken();
  return Error(ErrorCode::kOutcomeUnknown, "it was there, perhaps by an attempt without an answer, and is gone again");
}

Result<std::optional<std::string>> ReadWriter(Caller& caller, const std::string& key, Deadline deadline) {
  Call call;
  call.key = key;
  call.headers["Range"] = "bytes=0-0";
  HOLDFAST_ASSIGN_OR_RETURN(const Answer answer, caller.Send(call, deadline));
  if (answer.refusal) {
    const Refusal& refusal = *answer.refusal;
    // It is there, and has no first byte.
    if (refusal.status == kRangeNotSatisfiable) return std::optional(std::string());
    const bool none = refusal.status == kNotFoundStatus && refusal.code != "NoSuchBucket";
    if (!none) return caller.Refused(answer);
    return std::optional<std::string>();
  }
  const auto writer = answer.headers.find(kWriterHeader);
  return std::optional(writer == answer.headers.end() ? std::string() : writer->second);
}

}  // namespace holdfast::s3
