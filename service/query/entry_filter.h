// A filter on stored entries. Its paths: `key`, `size` (bytes of the value), `content_type`, `created_at`,
// `updated_at`, `expires_at` (RFC 3339; compared as instants), `tags` (has, exists) and `metadata` with the names of
// its members behind it. Other paths are refused, so that a misspelt one does not quietly match nothing.
#pragma once

#include <string>
#include <vector>

#include "base/result/result.h"
#include "service/query/filter.h"
#include "service/storage/types.h"

namespace holdfast::query {

// Immutable; thread-safe.
class EntryFilter {
 public:
  // kInvalidArgument for a path that entries do not have, and for an operator or value that can never fit it.
  static Result<EntryFilter> Make(Filter filter);

  // `default_content_type` is what an entry without one of its own has. The entry may be without its value.
  bool Matches(const storage::KeyedEntry& item, std::string_view default_content_type) const;

 private:
  enum class Field { kKey, kSize, kContentType, kCreatedAt, kUpdatedAt, kExpiresAt, kTags, kMetadata };
  struct Term {
    Field field;
    Comparison comparison;  // literals of instants are integers: microseconds since the epoch
  };
  static Result<Field> FindField(const Comparison& comparison);
  static Status Bind(Field field, Comparison* comparison);
  static bool HoldsForTags(const Comparison& comparison, const std::vector<std::string>& tags);

  std::vector<Term> terms_;  // those on metadata last: they cost a parse
};

}  // namespace holdfast::query
