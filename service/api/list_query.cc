#include "service/api/list_query.h"

#include <fmt/format.h>

#include "service/api/list_limit.h"
#include "service/api/read_consistency.h"
#include "service/query/filter.h"

namespace holdfast::api {
namespace {

Error Invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

std::string ValueOrEmpty(const Query& query, std::string_view name) {
  const std::string* value = query.Find(name);
  return value != nullptr ? *value : std::string();
}

// One of two words; the first is true.
Result<bool> ReadChoice(const Query& query, std::string_view name, std::string_view yes, std::string_view no,
                        bool fallback) {
  const std::string* value = query.Find(name);
  if (value == nullptr) return fallback;
  if (*value == yes) return true;
  if (*value == no) return false;
  return Invalid(fmt::format("the query parameter \"{}\" is neither {} nor {}", name, yes, no));
}

Status ReadFilter(const std::string& text, ListQuery* list) {
  auto filter = query::ParseFilter(text);
  if (!filter.ok()) return std::move(filter).error().WithContext("filter");
  list->filter_text = query::ToText(*filter);
  auto bound = query::EntryFilter::Make(std::move(filter).value());
  if (!bound.ok()) return std::move(bound).error().WithContext("filter");
  list->filter = std::move(bound).value();
  return {};
}

}  // namespace

storage::KeyRange PrefixRange(const Query& query) {
  const std::string* prefix = query.Find("prefix");
  return prefix == nullptr || prefix->empty() ? storage::KeyRange::All() : storage::KeyRange::Prefix(*prefix);
}

Result<ListQuery> ReadListQuery(const Exchange& exchange, std::size_t default_limit) {
  const Query& query = exchange.query();
  ListQuery list;
  list.prefix = ValueOrEmpty(query, "prefix");
  list.start = ValueOrEmpty(query, "start");
  list.end = ValueOrEmpty(query, "end");
  list.delimiter = ValueOrEmpty(query, "delimiter");
  list.cursor = ValueOrEmpty(query, "cursor");
  const std::size_t max_key = exchange.limits().max_key_bytes;
  if (list.delimiter.size() > max_key) {
    return Invalid(fmt::format("delimiter has {} bytes; no key has more than {} (setting limits.key)",
                               list.delimiter.size(), max_key));
  }
  if (const std::string* text = query.Find("filter"); text != nullptr && !text->empty()) {
    HOLDFAST_RETURN_IF_ERROR(ReadFilter(*text, &list));
  }
  storage::KeyRange bounds;
  bounds.start = list.start;
  if (!list.end.empty()) bounds.end = list.end;
  list.range = PrefixRange(query).Intersect(bounds);

  HOLDFAST_ASSIGN_OR_RETURN(list.descending, ReadChoice(query, "order", "desc", "asc", false));
  HOLDFAST_ASSIGN_OR_RETURN(list.values, ReadChoice(query, "values", "true", "false", false));
  HOLDFAST_ASSIGN_OR_RETURN(list.consistency, ReadConsistency(query));
  const std::size_t maximum = std::min(exchange.context().options.max_page_entries, exchange.limits().max_scan_entries);
  HOLDFAST_ASSIGN_OR_RETURN(list.limit, ReadLimit(query, default_limit, maximum));
  return list;
}

ListScope ScopeOf(const Exchange& exchange, const ListQuery& list) {
  return {exchange.store().name,
          exchange.tenant().name_space,
          list.prefix,
          list.start,
          list.end,
          list.delimiter,
          list.filter_text,
          list.descending};
}

}  // namespace holdfast::api
