// The query parameter `limit`.
#pragma once

#include <cstddef>

#include "base/result/result.h"
#include "service/api/query_string.h"

namespace holdfast::api {

// `fallback` when it is not given; kInvalidArgument unless it is a whole number from 1 to `maximum`.
Result<std::size_t> ReadLimit(const Query& query, std::size_t fallback, std::size_t maximum);

}  // namespace holdfast::api
