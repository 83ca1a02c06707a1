// How old the answer to a read may be: the query parameters `consistency` and `min_version`.
#pragma once

#include "base/result/result.h"
#include "service/api/query_string.h"
#include "service/storage/types.h"

namespace holdfast::api {

// kInvalidArgument names the parameter. Strong when nothing is said.
Result<storage::Consistency> ReadConsistency(const Query& query);
// The ETag of a write that the answer must not be older than, with or without its quotes; 0 when nothing is said.
Result<storage::Version> ReadMinVersion(const Query& query);

}  // namespace holdfast::api
