// A filter on stored entries. Its paths: `key`, `size` (bytes of the value), `content_type`, `created_at`,
// `updated_at`, `expires_at` (RFC 3339; compared as instants), `tags` (has, exists) and `metadata` with the names of
// its members behind it. Other paths are refused, so that a misspelt one does not quietly match nothing.
//
// This is where it is decided whether an entry matches. A backend that is handed the conditions may leave out some that
// do not (service/storage/scan_filter.h); what it returns is held against the filter all the same.
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

  // The entry may be without its value.
  bool Matches(const storage::KeyedEntry& item) const;

  // For the scans that look for entries that match.
  const storage::EntryConditions& conditions() const { return conditions_; }

 private:
  using Condition = storage::EntryCondition;
  using Field = Condition::Field;

  static Result<Field> FindField(const Comparison& comparison);
  static Status Bind(Field field, Comparison* comparison);
  static bool HoldsForTags(const Comparison& comparison, const std::vector<std::string>& tags);

  storage::EntryConditions conditions_;  // those on metadata last: they cost a parse
};

}  // namespace holdfast::query
