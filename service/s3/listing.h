// What a server's lists say. Pure, thread-safe. What is not as it should be is kUnavailable: who answered was no S3
// server, or one in trouble.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "service/s3/signature.h"

namespace holdfast::s3 {

struct Listed {
  std::string key;
  std::string upload;  // of a multipart upload that is neither completed nor aborted; empty: an object
  std::uint64_t bytes = 0;
  Timestamp modified_at{};  // an upload's: when it was begun
};

struct Page {
  std::vector<Listed> items;
  Query next;  // what to ask for behind it; empty: there is no more
};

// Of ListObjectsV2 and of ListMultipartUploads, both asked for with encoding-type=url.
Result<Page> ReadObjects(std::string_view body);
Result<Page> ReadUploads(std::string_view body);

}  // namespace holdfast::s3
