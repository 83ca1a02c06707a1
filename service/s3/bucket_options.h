// Where a bucket is, and how it is spoken to. Messages name these as the settings do, <setting>.<name>.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "base/time/backoff.h"

namespace holdfast::s3 {

struct BucketOptions {
  std::string setting = "backups.s3";  // as above
  std::string endpoint;                // "https://s3.example.com:9000", without a path
  std::string bucket;
  std::string region = "us-east-1";
  bool path_style = true;  // https://host/bucket/key; else https://bucket.host/key
  bool only_read = false;  // ListUploads gives nothing, which takes a right that a reader does not need
  // PEM; empty: the system's authorities. A server's certificate is always checked.
  std::string ca_pem;
  // Files with one line each, read for every request, so that a rotated key is used at once.
  std::string access_key_file;
  std::string secret_key_file;
  // Header x-amz-server-side-encryption: "AES256", "aws:kms"; empty: none. The key's id is of "aws:kms".
  std::string server_side_encryption;
  std::string kms_key_id;
  // An object that is larger is sent, and every one is read, in parts of so many bytes: with it, what a call holds in
  // memory beside the object. Servers want 5 MiB at least.
  std::size_t part_bytes = std::size_t{16} << 20;
  std::size_t page = 1'000;  // of a listing; servers give no more than that
  std::chrono::milliseconds connect_timeout{5'000};
  // For a request and its whole answer, and so for a part; within the caller's deadline.
  std::chrono::milliseconds call_timeout{60'000};
  int attempts = 5;  // of one request, the first included
  // Between attempts; longer where the server asks for that by Retry-After, but no longer than longest_pause.
  std::chrono::seconds longest_pause{60};
  BackoffPolicy backoff{std::chrono::milliseconds{200}, std::chrono::seconds{5}, 1.0};
};

}  // namespace holdfast::s3
