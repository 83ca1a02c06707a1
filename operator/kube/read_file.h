// Whole small files: credentials.
#pragma once

#include <cstddef>
#include <string>

#include "base/result/result.h"

namespace holdfast::kube {

// kNotFound, kFailedPrecondition (no permission, no regular file) or kResourceExhausted (more than max_bytes); every
// message names the path.
Result<std::string> ReadFile(const std::string& path, std::size_t max_bytes);

}  // namespace holdfast::kube
