// Backups in a bucket of an S3-compatible server:
//
//   <prefix>/<store>/<backup>/<object>
//
// An object that is larger than a part is a multipart upload until it is completed; what a Put that was interrupted
// leaves is such an upload, which the server keeps and counts until it is aborted: List shows it, Delete aborts it.
// Nothing is made before the first Put, and never the bucket.
//
// PutNew is one request with "If-None-Match: *" where the server knows that: Amazon S3 since August 2024, MinIO since
// 2024, Ceph. Others refuse it (Swift) or do not look at it and would replace the object, so the first PutNew of a
// process tries it on the object <prefix>/<store>/.conditional-writes, which stays. Where it is not known PutNew looks
// first, which is said in the log, once: two instances within one round trip of each other may then both have a claim
// or a manifest. The later manifest is the backup; the objects of the earlier one stay below its id and go with it.
//
// Every call is bounded by its deadline. kOutcomeUnknown
// from Put and Delete: it may have taken effect; a Put never leaves half an object.
#pragma once

#include <memory>
#include <string>

#include "service/backup/target.h"
#include "service/s3/bucket_options.h"

namespace holdfast::backup {

struct S3TargetOptions {
  s3::BucketOptions bucket;
  std::string prefix;  // in front of all keys, without '/' at either end; may be empty
};

// `store`: a name as stores have it.
std::unique_ptr<Target> MakeS3Target(S3TargetOptions options, std::string store);

}  // namespace holdfast::backup
