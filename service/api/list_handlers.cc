// Requests about many keys at once: list, count, delete by prefix.
#include <fmt/format.h>

#include "service/api/authorise.h"
#include "service/api/cursor.h"
#include "service/api/handlers.h"
#include "service/api/item_json.h"
#include "service/api/json_writer.h"
#include "service/api/list_limit.h"
#include "service/api/submit.h"

namespace holdfast::api {
namespace {

constexpr std::size_t kDefaultPage = 100;

struct ListQuery {
  std::string prefix;
  std::string start;
  std::string end;
  storage::ScanRequest scan;
};

Error Invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

std::string ValueOr(const Query& query, std::string_view name, std::string_view fallback) {
  const std::string* value = query.Find(name);
  return value != nullptr ? *value : std::string(fallback);
}

storage::KeyRange PrefixRange(const Query& query) {
  const std::string* prefix = query.Find("prefix");
  return prefix == nullptr || prefix->empty() ? storage::KeyRange::All() : storage::KeyRange::Prefix(*prefix);
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

ListScope ScopeOf(const Exchange& exchange, const ListQuery& list) {
  return {exchange.store().name, exchange.tenant().name_space, list.prefix, list.start, list.end, list.scan.descending};
}

Result<ListQuery> ReadListQuery(const Exchange& exchange) {
  const Query& query = exchange.query();
  for (const std::string_view name : {"delimiter", "filter"}) {
    if (query.Find(name) != nullptr) {
      return Error(ErrorCode::kNotSupported,
                   fmt::format("the query parameter \"{}\" is not supported by this version; leave it out", name));
    }
  }
  ListQuery list;
  list.prefix = ValueOr(query, "prefix", "");
  list.start = ValueOr(query, "start", "");
  list.end = ValueOr(query, "end", "");
  storage::KeyRange bounds;
  bounds.start = list.start;
  if (!list.end.empty()) bounds.end = list.end;
  list.scan.range = PrefixRange(query).Intersect(bounds);

  HOLDFAST_ASSIGN_OR_RETURN(list.scan.descending, ReadChoice(query, "order", "desc", "asc", false));
  HOLDFAST_ASSIGN_OR_RETURN(const bool values, ReadChoice(query, "values", "true", "false", false));
  list.scan.keys_only = !values;
  const std::size_t maximum = std::min(exchange.context().options.max_page_entries, exchange.limits().max_scan_entries);
  HOLDFAST_ASSIGN_OR_RETURN(list.scan.limit, ReadLimit(query, kDefaultPage, maximum));

  if (const std::string* cursor = query.Find("cursor"); cursor != nullptr && !cursor->empty()) {
    list.scan.after = DecodeCursor(ScopeOf(exchange, list), *cursor);
    if (!list.scan.after) {
      return Invalid(
          "the cursor does not belong to this list; go on with the same store, prefix, start, end and order, or start "
          "again without a cursor");
    }
  }
  return list;
}

void AnswerList(Exchange& exchange, const ListQuery& list) {
  exchange.tally().Count(Call::kScan);
  const auto page = exchange.keys().Scan(list.scan, exchange.deadline());
  if (!page.ok()) return exchange.Fail(page.error());
  JsonWriter json;
  json.BeginObject().Key("items").BeginArray();
  for (const storage::KeyedEntry& item : page->entries) {
    WriteItem(item.key, *item.entry, item.value_bytes, !list.scan.keys_only, &json);
  }
  json.EndArray().Key("prefixes").BeginArray().EndArray();
  std::string cursor;
  if (!page->complete && !page->entries.empty()) {
    cursor = EncodeCursor(ScopeOf(exchange, list), page->entries.back().key);
  }
  json.Key("cursor").String(cursor).Key("complete").Bool(page->complete).EndObject();
  exchange.SendJson(200, json.Take());
}

void AnswerNumber(Exchange& exchange, std::string_view name, const Result<std::uint64_t>& number) {
  if (!number.ok()) return exchange.Fail(number.error());
  JsonWriter json;
  json.BeginObject().Key(name).Unsigned(*number).EndObject();
  exchange.SendJson(200, json.Take());
}

}  // namespace

void ListKeys(ExchangePtr exchange) {
  auto list = ReadListQuery(*exchange);
  if (!list.ok()) return exchange->Fail(list.error());
  if (!list->scan.keys_only) {  // to list is not to read
    if (auto refused = CheckAllowed(*exchange, tenancy::Verb::kRead, list->prefix)) return exchange->Fail(*refused);
  }
  RunOnPool(std::move(exchange), [list = std::move(list).value()](Exchange& running) { AnswerList(running, list); });
}

void CountKeys(ExchangePtr exchange) {
  RunOnPool(std::move(exchange), [](Exchange& running) {
    running.tally().Count(Call::kCount);
    AnswerNumber(running, "count", running.keys().Count(PrefixRange(running.query()), running.deadline()));
  });
}

void DeleteKeys(ExchangePtr exchange) {
  const std::string* prefix = exchange->query().Find("prefix");
  const std::string* confirm = exchange->query().Find("confirm");
  if (prefix == nullptr) {
    return exchange->Fail("invalid_argument",
                          "the query parameter \"prefix\" is missing; to delete everything say prefix=&confirm=all");
  }
  if (confirm != nullptr && *confirm != "all") {
    return exchange->Fail("invalid_argument", "the query parameter \"confirm\" takes only \"all\"");
  }
  if (prefix->empty() && confirm == nullptr) {
    return exchange->Fail("invalid_argument", "an empty prefix means every key; to delete them all add confirm=all");
  }
  RunOnPool(std::move(exchange), [](Exchange& running) {
    running.tally().Count(Call::kDeleteRange);
    AnswerNumber(running, "deleted", running.keys().DeleteRange(PrefixRange(running.query()), running.deadline()));
  });
}

}  // namespace holdfast::api
