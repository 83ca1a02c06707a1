#include "service/s3/parts.h"

#include <fmt/format.h>

#include "service/s3/xml.h"

namespace holdfast::s3 {
namespace {

constexpr std::string_view kNoSuchUpload = "NoSuchUpload";

Error Strange(std::string_view what) {
  return {ErrorCode::kUnavailable, fmt::format("the server's answer to a multipart upload makes no sense: {}", what)};
}

}  // namespace

Result<Begun> BeginUpload(Caller& caller, const std::string& key, const http::Headers& headers, Deadline deadline) {
  Call call;
  call.method = "POST";
  call.key = key;
  call.query = {{"uploads", ""}};
  call.headers = headers;
  HOLDFAST_ASSIGN_OR_RETURN(const Answer answer, caller.Send(call, deadline));
  if (answer.refusal) return caller.Refused(answer);
  const Result<XmlElement> root = ParseXml(answer.body);
  if (!root.ok()) return Strange(root.error().message());
  Begun begun{root->TextOf("UploadId"), answer.done_before};
  if (begun.upload.empty()) return Strange("it has no UploadId");
  return begun;
}

Result<std::string> SendPart(Caller& caller, const std::string& key, const std::string& upload, std::size_t number,
                             std::string_view bytes, Deadline deadline) {
  Call call;
  call.method = "PUT";
  call.key = key;
  call.query = {{"partNumber", std::to_string(number)}, {"uploadId", upload}};
  call.headers = {{"Content-MD5", Md5Base64(bytes)}};
  call.body = bytes;
  HOLDFAST_ASSIGN_OR_RETURN(const Answer answer, caller.Send(call, deadline));
  if (answer.refusal) return caller.Refused(answer);
  const auto etag = answer.headers.find("ETag");
  // It goes into XML as it is.
  if (etag == answer.headers.end() || etag->second.find_first_of("<&") != std::string::npos) {
    return Strange("a part has no ETag");
  }
  return etag->second;
}

Status CompleteUpload(Caller& caller, const std::string& key, const std::string& upload,
                      const std::vector<std::string>& etags, Deadline deadline, bool* lost) {
  std::string body = "<CompleteMultipartUpload>";
  for (std::size_t i = 0; i < etags.size(); ++i) {
    body += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1, etags[i]);
  }
  body += "</CompleteMultipartUpload>";
  Call call;
  call.method = "POST";
  call.key = key;
  call.query = {{"uploadId", upload}};
  call.headers = {{"Content-Type", "application/xml"}};
  call.body = body;
  call.late_error = true;
  HOLDFAST_ASSIGN_OR_RETURN(const Answer answer, caller.Send(call, deadline));
  if (answer.refusal) {
    *lost = answer.done_before && answer.refusal->code == kNoSuchUpload;
    return caller.Refused(answer);
  }
  const Result<XmlElement> root = ParseXml(answer.body);
  if (root.ok() && root->name == "CompleteMultipartUploadResult") return {};
  return Error(ErrorCode::kOutcomeUnknown, "the server's answer to the end of a multipart upload is not understood");
}

Status AbortUpload(Caller& caller, const std::string& key, const std::string& upload, Deadline deadline) {
  Call call;
  call.method = "DELETE";
  call.key = key;
  call.query = {{"uploadId", upload}};
  HOLDFAST_ASSIGN_OR_RETURN(const Answer answer, caller.Send(call, deadline));
  if (!answer.refusal || answer.refusal->code == kNoSuchUpload) return {};
  return caller.Refused(answer);
}

}  // namespace holdfast::s3
