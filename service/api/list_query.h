// What a list is asked for.
#pragma once

#include <optional>
#include <string>

#include "service/api/cursor.h"
#include "service/api/exchange.h"
#include "service/query/entry_filter.h"
#include "service/storage/types.h"

namespace holdfast::api {

struct ListQuery {
  std::string prefix;
  std::string start;
  std::string end;
  std::string delimiter;    // empty = none
  std::string filter_text;  // in its one spelling; empty = none
  std::optional<query::EntryFilter> filter;
  storage::KeyRange range;  // prefix, start and end together
  bool descending = false;
  bool values = false;
  storage::Consistency consistency = storage::Consistency::kStrong;
  std::size_t limit = 0;  // items and prefixes; of a stream 0 = all
  std::string cursor;     // as it was sent; empty = from the beginning
};

// Keys that begin with the query parameter `prefix`; all keys without one.
storage::KeyRange PrefixRange(const Query& query);

// `default_limit` when there is no `limit`.
Result<ListQuery> ReadListQuery(const Exchange& exchange, std::size_t default_limit);
ListScope ScopeOf(const Exchange& exchange, const ListQuery& list);

}  // namespace holdfast::api
