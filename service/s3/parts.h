// The steps of a multipart upload: begun, each part sent, completed; or aborted. What is neither completed nor aborted
// stays with the server, is paid for, and is no object.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/s3/caller.h"

namespace holdfast::s3 {

// The most that a server takes.
inline constexpr std::size_t kMaxParts = 10'000;

struct Begun {
  std::string upload;
  bool perhaps_twice = false;  // a first request, whose answer was lost, may have begun another one
};
// `headers`: what the object is to have.
Result<Begun> BeginUpload(Caller& caller, const std::string& key, const http::Headers& headers, Deadline deadline);
// The part's ETag. Parts are numbered from 1.
Result<std::string> SendPart(Caller& caller, const std::string& key, const std::string& upload, std::size_t number,
                             std::string_view bytes, Deadline deadline);
// From here on it is an object. `lost`: there is no such upload, and an attempt of ours whose answer never came may
// have completed it.
Status CompleteUpload(Caller& caller, const std::string& key, const std::string& upload,
                      const std::vector<std::string>& etags, Deadline deadline, bool* lost);
// Ok also when there is none.
Status AbortUpload(Caller& caller, const std::string& key, const std::string& upload, Deadline deadline);

}  // namespace holdfast::s3
