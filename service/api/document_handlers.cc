// Documents of a collection: single ones, queries and counts.
#include <fmt/format.h>

#include "base/time/duration.h"
#include "service/api/authorise.h"
#include "service/api/entry_headers.h"
#include "service/api/fence.h"
#include "service/api/handlers.h"
#include "service/api/list_limit.h"
#include "service/api/operation_fields.h"
#include "service/api/route_table.h"
#include "service/api/submit.h"
#include "service/documents/documents.h"
#include "service/documents/find.h"
#include "service/tenancy/sha256.h"

namespace holdfast::api {
namespace {

using documents::Documents;
using storage::OperationResult;
using storage::Precondition;

constexpr std::size_t kDefaultPage = 100;

// The two parts of "incidents/42".
std::string_view CollectionOf(Exchange& exchange) {
  const std::string_view subject = exchange.key();
  return subject.substr(0, subject.find('/'));
}
std::string_view IdOf(Exchange& exchange) {
  const std::string_view subject = exchange.key();
  return subject.substr(subject.find('/') + 1);
}

const documents::CollectionLimits& LimitsOf(const Exchange& exchange) {
  return exchange.context().options.collections;
}

Documents Of(Exchange& exchange, const std::optional<storage::Condition>& fence = std::nullopt) {
  Documents documents(exchange.tenant().rooms, std::string(CollectionOf(exchange)), LimitsOf(exchange),
                      exchange.limits().max_key_bytes);
  if (fence) documents.Guard(*fence);
  return documents;
}

// The text to store: JSON as it was sent, the binary formats as JSON.
Result<std::string> ReadText(Exchange& exchange) {
  const auto& type = exchange.headers().content_type;
  const auto format = type ? FormatOf(TrimMediaType(*type)) : std::nullopt;
  if (format.value_or(json::Format::kJson) == json::Format::kJson) return std::move(exchange.request().body);
  HOLDFAST_ASSIGN_OR_RETURN(const json::JsonValue value, exchange.ParseBody());
  return value.ToText();
}

Result<storage::Expiry> ReadExpiry(Exchange& exchange) {
  if (exchange.headers().ttl) {
    auto expiry = ParseTtl(*exchange.headers().ttl);
    if (!expiry.ok()) return std::move(expiry).error().WithContext("Holdfast-TTL");
    return expiry;
  }
  const auto ttl = exchange.store().ttls->default_ttl();
  return ttl ? storage::Expiry::After(*ttl) : storage::Expiry::Never();
}

// True when the result is one to go on with; otherwise it has been answered.
bool Succeeded(Exchange& exchange, const Result<OperationResult>& result) {
  if (!result.ok()) {
    exchange.Fail(TransactionProblem(result.error()));
  } else if (!result->status.ok()) {
    exchange.Fail(OperationProblem(*result));
  }
  return result.ok() && result->status.ok();
}

void AnswerDocument(Exchange& exchange, storage::EntryPtr entry) {
  if (const auto& if_none_match = exchange.headers().if_none_match) {
    if (MatchesIfNoneMatch(*if_none_match, entry->version).value()) {
      Response unchanged;
      unchanged.status = 304;
      unchanged.etag = entry->version;
      return exchange.Send(std::move(unchanged));
    }
  }
  const json::Format format = exchange.accept().document;
  Response response = EntryResponse(std::move(entry));
  response.content_type = MediaTypeOf(format);
  if (format != json::Format::kJson) {
    response.body = json::Transcode(response.entry->value, format);
    response.entry = nullptr;
  }
  exchange.Send(std::move(response));
}

// A document is no key of the same name, so the record has the request's own name.
std::optional<NotedChange> NoteDocument(Exchange& exchange, storage::OperationKind kind,
                                        std::optional<std::string_view> text) {
  if (exchange.audit() == nullptr) return std::nullopt;
  NotedChange change{kind, exchange.key(), std::nullopt, exchange.endpoint().operation_id};
  if (text) change.value = tenancy::Sha256(*text);
  return change;
}

void Audit(Exchange& exchange, std::optional<NotedChange> change, const Result<OperationResult>& result) {
  if (!change) return;
  OperationResult failed;
  if (!result.ok()) failed.status = result.error();
  exchange.audit()->Add(std::move(*change), result.ok() ? *result : failed);
}

struct FindQuery {
  std::optional<query::Filter> filter;
  std::string filter_text;  // in its one spelling; empty = none
  std::optional<documents::Order> order;
  std::size_t limit = 0;
  std::string cursor;

  const query::Filter* filter_or_null() const { return filter ? &*filter : nullptr; }
};

Status ReadFilter(const Query& query, FindQuery* find) {
  const std::string* const text = query.Find("filter");
  if (text == nullptr || text->empty()) return {};
  auto filter = query::ParseFilter(*text);
  if (!filter.ok()) return std::move(filter).error().WithContext("filter");
  find->filter = std::move(filter).value();
  find->filter_text = query::ToText(*find->filter);
  return {};
}

Result<FindQuery> ReadFindQuery(const Exchange& exchange) {
  const Query& query = exchange.query();
  FindQuery find;
  HOLDFAST_RETURN_IF_ERROR(ReadFilter(query, &find));
  if (const std::string* order = query.Find("order"); order != nullptr && !order->empty()) {
    HOLDFAST_ASSIGN_OR_RETURN(find.order, documents::ParseOrder(*order));
  }
  const std::size_t maximum = std::min(exchange.context().options.max_page_entries, exchange.limits().max_scan_entries);
  HOLDFAST_ASSIGN_OR_RETURN(find.limit, ReadLimit(query, kDefaultPage, maximum));
  if (const std::string* cursor = query.Find("cursor")) find.cursor = *cursor;
  return find;
}

// `collection` as in the path: a name and a '/'.
ListScope ScopeOf(const Exchange& exchange, std::string_view collection, const FindQuery& find) {
  ListScope scope;
  scope.store = exchange.store().name;
  scope.name_space = exchange.tenant().name_space;
  scope.subject = collection;
  scope.filter = find.filter_text;
  if (find.order) {
    scope.start = find.order->path;
    scope.descending = find.order->descending;
  }
  return scope;
}

void WriteDocument(const storage::KeyedEntry& document, json::DocumentWriter* out) {
  const storage::Entry& entry = *document.entry;
  out->BeginObject().Key("id").String(document.key);
  out->Key("etag").String(std::to_string(entry.version));
  out->Key("created_at").String(FormatTimestamp(entry.created_at));
  out->Key("updated_at").String(FormatTimestamp(entry.updated_at));
  if (entry.expires_at) out->Key("expires_at").String(FormatTimestamp(*entry.expires_at));
  out->Key("document").Raw(entry.value).EndObject();
}

Status AnswerFind(Exchange& exchange, const FindQuery& find) {
  HOLDFAST_ASSIGN_OR_RETURN(const auto signer, exchange.context().cursor_secret->Signer(exchange.deadline()));
  const ListScope scope = ScopeOf(exchange, exchange.key(), find);
  documents::FindRequest request;
  request.filter = find.filter_or_null();
  request.order = find.order;
  request.limit = find.limit;
  if (!find.cursor.empty()) {
    auto position = signer->Decode(scope, find.cursor);
    if (!position) {
      return Error(ErrorCode::kInvalidArgument,
                   "the cursor does not belong to this query; go on with the same store, namespace, collection, filter "
                   "and order, or start again without a cursor");
    }
    request.position = std::move(position->bytes);
  }
  storage::Backend& rooms = *exchange.tenant().rooms;
  const documents::CollectionLimits& limits = LimitsOf(exchange);
  HOLDFAST_ASSIGN_OR_RETURN(
      const documents::Collection collection,
      documents::Collections(exchange.tenant().rooms, limits).Get(CollectionOf(exchange), exchange.deadline()));
  exchange.tally().Count(Call::kScan);
  HOLDFAST_ASSIGN_OR_RETURN(const documents::FindPage page,
                            documents::Find(rooms, collection, request, limits, exchange.deadline()));
  exchange.document_metrics().CountExamined(page.by_index, page.examined);
  const auto out = exchange.NewWriter();
  out->BeginObject().Key("items").BeginArray();
  for (const storage::KeyedEntry& document : page.documents) WriteDocument(document, out.get());
  std::string cursor;
  if (!page.complete) cursor = signer->Encode(scope, {ListPosition::Kind::kBehindKey, page.position});
  out->EndArray().Key("cursor").String(cursor).Key("complete").Bool(page.complete);
  out->Key("examined").Unsigned(page.examined).EndObject();
  exchange.SendDocument(200, *out);
  return {};
}

Status AnswerCount(Exchange& exchange, const query::Filter* filter) {
  const documents::CollectionLimits& limits = LimitsOf(exchange);
  HOLDFAST_ASSIGN_OR_RETURN(
      const documents::Collection collection,
      documents::Collections(exchange.tenant().rooms, limits).Get(CollectionOf(exchange), exchange.deadline()));
  exchange.tally().Count(Call::kCount);
  HOLDFAST_ASSIGN_OR_RETURN(
      const documents::CountResult counted,
      documents::Count(*exchange.tenant().rooms, collection, filter, limits, exchange.deadline()));
  exchange.document_metrics().CountExamined(counted.by_index, counted.examined);
  const auto out = exchange.NewWriter();
  out->BeginObject().Key("count").Unsigned(counted.count).EndObject();
  exchange.SendDocument(200, *out);
  return {};
}

}  // namespace

void FindDocuments(ExchangePtr exchange) {
  auto find = ReadFindQuery(*exchange);
  if (!find.ok()) return exchange->Fail(find.error());
  RunOnPool(std::move(exchange), [find = std::move(find).value()](Exchange& running) {
    const Status answered = AnswerFind(running, find);
    if (!answered.ok()) running.Fail(answered.error());
  });
}

void CountDocuments(ExchangePtr exchange) {
  FindQuery find;
  const Status read = ReadFilter(exchange->query(), &find);
  if (!read.ok()) return exchange->Fail(read.error());
  if (find.filter) {  // asked often enough, it tells what a document says
    if (auto refused = CheckAllowed(*exchange, tenancy::Verb::kRead, exchange->key())) return exchange->Fail(*refused);
  }
  RunOnPool(std::move(exchange), [find = std::move(find)](Exchange& running) {
    const Status answered = AnswerCount(running, find.filter_or_null());
    if (!answered.ok()) running.Fail(answered.error());
  });
}

void GetDocument(ExchangePtr exchange) {
  Precondition precondition;
  if (exchange->headers().if_match) {
    auto parsed = ParseIfMatch(*exchange->headers().if_match);
    if (!parsed.ok()) return exchange->Fail(parsed.error());
    precondition = std::move(parsed).value();
  }
  // Its form is checked even when the document turns out to be absent.
  if (const auto& if_none_match = exchange->headers().if_none_match) {
    const auto well_formed = MatchesIfNoneMatch(*if_none_match, 0);
    if (!well_formed.ok()) return exchange->Fail(well_formed.error());
  }
  RunOnPool(std::move(exchange), [precondition = std::move(precondition)](Exchange& running) {
    running.tally().Count(CallOf(storage::OperationKind::kGet));
    auto result = Of(running).Get(IdOf(running), precondition, running.deadline());
    if (Succeeded(running, result)) AnswerDocument(running, std::move(result->entry));
  });
}

void PutDocument(ExchangePtr exchange) {
  if (auto refused = CheckJsonContentType(exchange->headers())) return exchange->Fail(*refused);
  auto precondition = ParseWritePrecondition(exchange->headers().if_match, exchange->headers().if_none_match);
  if (!precondition.ok()) return exchange->Fail(precondition.error());
  const auto expiry = ReadExpiry(*exchange);
  if (!expiry.ok()) return exchange->Fail(expiry.error());
  auto fence = ReadFence(*exchange);
  if (!fence.ok()) return exchange->Fail(fence.error());
  RunOnPool(std::move(exchange), [precondition = std::move(precondition).value(), expiry = *expiry,
                                  fence = std::move(fence).value()](Exchange& running) {
    auto text = ReadText(running);
    if (!text.ok()) return running.Fail(text.error());
    const std::size_t limit = running.limits().max_value_bytes;
    if (text->size() > limit) {
      Problem problem = Problem::Of(
          "too_large",
          fmt::format("the document has {} bytes; the limit is {} (setting limits.value)", text->size(), limit));
      problem.limit = limit;
      return running.Fail(problem);
    }
    running.tally().Count(CallOf(storage::OperationKind::kPut));
    auto change = NoteDocument(running, storage::OperationKind::kPut, *text);
    const auto result =
        Of(running, fence).Put(IdOf(running), std::move(*text), precondition, expiry, running.deadline());
    Audit(running, std::move(change), result);
    if (!Succeeded(running, result)) return;
    Response response;
    response.status = result->existed ? 204 : 201;
    response.etag = result->version;
    AddExpiresAt(result->expires_at, &response);
    running.Send(std::move(response));
  });
}

void DeleteDocument(ExchangePtr exchange) {
  auto precondition = ParseWritePrecondition(exchange->headers().if_match, exchange->headers().if_none_match);
  if (!precondition.ok()) return exchange->Fail(precondition.error());
  auto fence = ReadFence(*exchange);
  if (!fence.ok()) return exchange->Fail(fence.error());
  RunOnPool(std::move(exchange),
            [precondition = std::move(precondition).value(), fence = std::move(fence).value()](Exchange& running) {
              running.tally().Count(CallOf(storage::OperationKind::kDelete));
              auto change = NoteDocument(running, storage::OperationKind::kDelete, std::nullopt);
              const auto result = Of(running, fence).Delete(IdOf(running), precondition, running.deadline());
              Audit(running, std::move(change), result);
              if (!Succeeded(running, result)) return;
              Response response;
              response.status = 204;
              response.etag = result->version;
              running.Send(std::move(response));
            });
}

}  // namespace holdfast::api
