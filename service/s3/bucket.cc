#include "service/s3/bucket.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "service/s3/creation.h"
#include "service/s3/parts.h"

namespace holdfast::s3 {
namespace {

constexpr int kNotFoundStatus = 404;
constexpr int kPreconditionFailed = 412;
constexpr int kRangeNotSatisfiable = 416;
constexpr std::chrono::seconds kCleaning{10};
// An upload is sent anew when it may have been completed and nobody can say; servers that lose it twice are broken.
constexpr int kUploads = 2;

std::string HeaderOf(const Answer& answer, std::string_view name) {
  const auto header = answer.headers.find(name);
  return header == answer.headers.end() ? std::string() : header->second;
}

// Of "bytes 0-9/1234"; none: the answer is all there is.
std::optional<std::uint64_t> WholeSize(const Answer& answer) {
  const std::string range = HeaderOf(answer, "Content-Range");
  const std::size_t slash = range.find('/');
  std::uint64_t size = 0;
  if (slash == std::string::npos) return std::nullopt;
  const char* const end = range.data() + range.size();
  if (std::from_chars(range.data() + slash + 1, end, size).ptr != end) return std::nullopt;
  return size;
}

}  // namespace

http::Headers Bucket::EncryptionHeaders() const {
  http::Headers headers;
  if (options().server_side_encryption.empty()) return headers;
  headers["x-amz-server-side-encryption"] = options().server_side_encryption;
  if (!options().kms_key_id.empty()) {
    headers["x-amz-server-side-encryption-aws-kms-key-id"] = options().kms_key_id;
  }
  return headers;
}

Status Bucket::Put(const std::string& key, std::string_view bytes, Deadline deadline) {
  if (bytes.size() <= options().part_bytes) return PutWhole(key, bytes, deadline);
  for (int count = 1;; ++count) {
    bool lost = false;
    Status put = PutInParts(key, bytes, deadline, &lost);
    if (!lost || count == kUploads) return put;
  }
}

Status Bucket::PutWhole(const std::string& key, std::string_view bytes, Deadline deadline) {
  const Call call = PutCall(key, bytes, EncryptionHeaders());
  HOLDFAST_ASSIGN_OR_RETURN(const Answer answer, caller_.Send(call, deadline));
  if (answer.refusal) return caller_.Refused(answer);
  return {};
}

Status Bucket::PutNew(const std::string& key, std::string_view bytes, bool can_create, Deadline deadline) {
  if (can_create) return CreateObject(caller_, key, bytes, EncryptionHeaders(), deadline);
  HOLDFAST_ASSIGN_OR_RETURN(const std::optional<std::string> there, ReadWriter(caller_, key, deadline));
  if (there) return Taken();
  return PutWhole(key, bytes, deadline);
}

Result<bool> Bucket::CanCreate(const std::string& probe_key, Deadline deadline) {
  const Ability known = creation_;
  if (known != Ability::kUnknown) return known == Ability::kYes;
  auto can = s3::CanCreate(caller_, probe_key, EncryptionHeaders(), deadline);
  if (can.ok()) {
    creation_ = *can ? Ability::kYes : Ability::kNo;
    return can;
  }
  // What was asked for has not been begun.
  const ErrorCode code = can.error().code();
  return Error(code == ErrorCode::kOutcomeUnknown ? ErrorCode::kUnavailable : code, can.error().message());
}

Status Bucket::PutInParts(const std::string& key, std::string_view bytes, Deadline deadline, bool* lost) {
  const Result<Begun> begun = BeginUpload(caller_, key, EncryptionHeaders(), deadline);
  if (!begun.ok()) {
    // Of one that may have begun there is no id: it is found by its key.
    if (begun.error().code() != ErrorCode::kOutcomeUnknown) return begun.error();
    static_cast<void>(AbortUploads(key, Deadline::After(kCleaning)).ok());
    return Error(ErrorCode::kUnavailable, begun.error().message());
  }
  Status sent = SendAndComplete(key, begun->upload, bytes, deadline, lost);
  if (sent.ok() && !begun->perhaps_twice) return {};
  // What stays behind all the same is found by the next prune.
  const Deadline cleaning = Deadline::After(kCleaning);
  if (!sent.ok()) static_cast<void>(AbortUpload(caller_, key, begun->upload, cleaning).ok());
  if (begun->perhaps_twice) static_cast<void>(AbortUploads(key, cleaning).ok());
  return sent;
}

Status Bucket::SendAndComplete(const std::string& key, const std::string& upload, std::string_view bytes,
                               Deadline deadline, bool* lost) {
  const std::size_t part = options().part_bytes;
  if (bytes.size() > part * kMaxParts) {
    return Error(ErrorCode::kFailedPrecondition,
                 fmt::format("{} bytes are more than {} parts of {}: raise backups.s3.part_bytes", bytes.size(),
                             kMaxParts, part));
  }
  std::vector<std::string> etags;
  for (std::size_t at = 0; at < bytes.size(); at += part) {
    auto etag = SendPart(caller_, key, upload, etags.size() + 1, bytes.substr(at, part), deadline);
    if (!etag.ok()) {
      // A part is no object: that it may have arrived changes nothing.
      const ErrorCode code = etag.error().code();
      return Error(code == ErrorCode::kOutcomeUnknown ? ErrorCode::kUnavailable : code, etag.error().message());
    }
    etags.push_back(std::move(etag).value());
  }
  return CompleteUpload(caller_, key, upload, etags, deadline, lost);
}

Result<std::string> Bucket::Get(const std::string& key, std::size_t most, Deadline deadline) {
  const auto too_long = [&](std::uint64_t size) {
    return Error(ErrorCode::kResourceExhausted,
                 fmt::format("it has {} bytes or more, and {} were the most", size, most));
  };
  std::string bytes;
  Call call;
  call.key = key;
  while (true) {
    call.headers["Range"] = fmt::format("bytes={}-{}", bytes.size(), bytes.size() + options().part_bytes - 1);
    HOLDFAST_ASSIGN_OR_RETURN(const Answer answer, caller_.Send(call, deadline));
    if (answer.refusal) {
      const Refusal& refusal = *answer.refusal;
      // A range from the first byte on is satisfied by everything that has one.
      if (refusal.status == kRangeNotSatisfiable && bytes.empty()) return bytes;
      if (refusal.status == kNotFoundStatus && refusal.code != "NoSuchBucket") {
        return Error(ErrorCode::kNotFound, "there is no such object");
      }
      if (refusal.status == kPreconditionFailed || refusal.status == kRangeNotSatisfiable) {
        return Error(ErrorCode::kUnavailable, "it was replaced while it was read");
      }
      return caller_.Refused(answer);
    }
    const std::uint64_t size = WholeSize(answer).value_or(answer.body.size());
    if (size > most) return too_long(size);
    if (bytes.empty()) bytes.reserve(size);
    bytes += answer.body;
    if (bytes.size() >= size) break;
    if (answer.body.empty()) return Error(ErrorCode::kUnavailable, "the server gives less of it than it says there is");
    call.headers["If-Match"] = HeaderOf(answer, "ETag");
  }
  if (bytes.size() > most) return too_long(bytes.size());
  return bytes;
}

Result<std::vector<Listed>> Bucket::List(const std::string& prefix, Deadline deadline) {
  return ListPages(
      {{"list-type", "2"}, {"max-keys", std::to_string(options().page)}, {"encoding-type", "url"}, {"prefix", prefix}},
      ReadObjects, deadline);
}

Result<std::vector<Listed>> Bucket::ListUploads(const std::string& prefix, Deadline deadline) {
  if (options().only_read) return std::vector<Listed>();
  return ListPages(
      {{"uploads", ""}, {"max-uploads", std::to_string(options().page)}, {"encoding-type", "url"}, {"prefix", prefix}},
      ReadUploads, deadline);
}

Result<std::vector<Listed>> Bucket::ListPages(Query query, Result<Page> (*read)(std::string_view), Deadline deadline) {
  std::vector<Listed> all;
  Call call;
  call.query = std::move(query);
  while (true) {
    HOLDFAST_ASSIGN_OR_RETURN(const Answer answer, caller_.Send(call, deadline));
    if (answer.refusal) return caller_.Refused(answer);
    HOLDFAST_ASSIGN_OR_RETURN(Page page, read(answer.body));
    std::move(page.items.begin(), page.items.end(), std::back_inserter(all));
    if (all.size() > kMaxListed) {
      return Error(ErrorCode::kResourceExhausted,
                   fmt::format("more than {} objects: name another {}.prefix, or remove backups", kMaxListed,
                               options().setting));
    }
    if (page.next.empty()) return all;
    for (auto& [name, value] : page.next) call.query[name] = value;
  }
}

Status Bucket::Delete(const std::string& key, Deadline deadline) {
  Call call;
  call.method = "DELETE";
  call.key = key;
  HOLDFAST_ASSIGN_OR_RETURN(const Answer answer, caller_.Send(call, deadline));
  const bool none = answer.refusal && answer.refusal->status == kNotFoundStatus && answer.refusal->code == "NoSuchKey";
  if (answer.refusal && !none) return caller_.Refused(answer);
  return {};
}

Status Bucket::AbortUploads(const std::string& key, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<Listed> uploads, ListUploads(key, deadline));
  for (const Listed& one : uploads) {
    if (one.key == key) HOLDFAST_RETURN_IF_ERROR(AbortUpload(caller_, key, one.upload, deadline));
  }
  return {};
}

}  // namespace holdfast::s3
