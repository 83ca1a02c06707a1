// Objects in a bucket of an S3-compatible server. Every request is signed (signature.h) and tried again while that can
// help (caller.h). An object is there whole or not at all; one of that key is replaced.
//
// Thread-safe. Errors, each naming server, setting and remedy:
//   kNotFound            Get: there is no such object
//   kResourceExhausted   the server has no room; Get: the object is too long
//   kFailedPrecondition  the bucket, the keys or what they may do, the region, the clock: nothing passes by itself
//   kNotSupported        the server does not know what was asked
//   kUnavailable, kDeadlineExceeded   no answer, or one that says so, after all attempts: no effect
//   kOutcomeUnknown      of what changes something: it may have taken effect
#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/s3/bucket_options.h"
#include "service/s3/caller.h"
#include "service/s3/listing.h"

namespace holdfast::s3 {

// Of one listing. More is kResourceExhausted.
inline constexpr std::size_t kMaxListed = 1'000'000;

class Bucket {
 public:
  explicit Bucket(BucketOptions options) : caller_(std::move(options)) {}

  const BucketOptions& options() const { return caller_.options(); }

  // In parts when it is larger than one. An upload that fails is aborted, as far as the server lets us.
  Status Put(const std::string& key, std::string_view bytes, Deadline deadline);
  // Likewise, whole, where there is none: kAlreadyExists. Where CanCreate one of several at once succeeds; elsewhere it
  // is looked for first, and whoever comes in between is replaced.
  Status PutNew(const std::string& key, std::string_view bytes, bool can_create, Deadline deadline);
  // Of the server (creation.h). Asked once, then remembered: one that is exchanged for another kind wants a restart.
  Result<bool> CanCreate(const std::string& probe_key, Deadline deadline);
  // Part by part, all of them of the same object.
  Result<std::string> Get(const std::string& key, std::size_t most, Deadline deadline);
  // Objects whose key begins with `prefix`.
  Result<std::vector<Listed>> List(const std::string& prefix, Deadline deadline);
  // Multipart uploads to such keys that were neither completed nor aborted.
  Result<std::vector<Listed>> ListUploads(const std::string& prefix, Deadline deadline);
  // Ok also when there is none.
  Status Delete(const std::string& key, Deadline deadline);
  // All of that key.
  Status AbortUploads(const std::string& key, Deadline deadline);

 private:
  enum class Ability { kUnknown, kNo, kYes };

  Status PutWhole(const std::string& key, std::string_view bytes, Deadline deadline);
  Status PutInParts(const std::string& key, std::string_view bytes, Deadline deadline, bool* lost);
  Status SendAndComplete(const std::string& key, const std::string& upload, std::string_view bytes, Deadline deadline,
                         bool* lost);
  http::Headers EncryptionHeaders() const;
  Result<std::vector<Listed>> ListPages(Query query, Result<Page> (*read)(std::string_view), Deadline deadline);

  Caller caller_;
  std::atomic<Ability> creation_{Ability::kUnknown};
};

}  // namespace holdfast::s3
