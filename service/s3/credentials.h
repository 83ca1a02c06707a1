// The keys of an S3 account, out of their files.
#pragma once

#include "base/result/result.h"
#include "service/s3/bucket_options.h"
#include "service/s3/signature.h"

namespace holdfast::s3 {

inline constexpr std::size_t kMaxKeyBytes = 1'024;

// kFailedPrecondition, naming the setting and the file and nothing of what is in it, for one that cannot be read, is
// empty, is longer than kMaxKeyBytes, or has more than a line.
Result<SigningKey> ReadSigningKey(const BucketOptions& options);

}  // namespace holdfast::s3
