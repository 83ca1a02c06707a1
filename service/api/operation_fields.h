// The fields of an operation as clients write them, in headers or in JSON: preconditions, expiry, tags, metadata,
// content type. One reading for both, so that a batch and a single request cannot mean different things. Every error
// is kInvalidArgument and says what to write instead.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "service/storage/types.h"

namespace holdfast::api {

// If-Match: `"7"` or `*`. A well-formed tag that this API never issued matches nothing (RFC 9110, section 13.1.1).
// Lists, weak and unquoted tags are refused.
Result<storage::Precondition> ParseIfMatch(std::string_view text);
// If-None-Match on a write: only `*`.
Result<storage::Precondition> ParseIfNoneMatchOnWrite(std::string_view text);
// Both headers of a write, of which at most one may be given.
Result<storage::Precondition> ParseWritePrecondition(const std::optional<std::string_view>& if_match,
                                                     const std::optional<std::string_view>& if_none_match);
// If-None-Match on a read of an entry of that version: true = it matches, answer 304. Lists and weak tags are allowed,
// since caches in between send them.
Result<bool> MatchesIfNoneMatch(std::string_view text, storage::Version version);

// "30s", "keep", "none".
Result<storage::Expiry> ParseTtl(std::string_view text);

// "a,b": blanks around a tag do not count.
Result<std::vector<std::string>> ParseTags(std::string_view text);
Status CheckTag(std::string_view tag);

// One JSON object. Its size is the backend's to check.
Status CheckMetadata(std::string_view json);
// Fit to be given back as a header.
Status CheckContentType(std::string_view text);

}  // namespace holdfast::api
