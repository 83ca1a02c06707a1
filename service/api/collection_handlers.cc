// Collections: creating, changing, listing and deleting them.
#include <array>

#include "service/api/fence.h"
#include "service/api/handlers.h"
#include "service/api/list_limit.h"
#include "service/api/operation_json.h"
#include "service/api/submit.h"
#include "service/documents/collections.h"
#include "service/documents/maintainer.h"
#include "service/json/json_value.h"

namespace holdfast::api {
namespace {

using documents::Collection;
using documents::Collections;

constexpr std::size_t kDefaultPage = 100;

Error Invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

// Of "incidents/".
std::string_view NameOf(Exchange& exchange) {
  const std::string_view subject = exchange.key();
  return subject.substr(0, subject.find('/'));
}

Collections Of(const Exchange& exchange, const std::optional<storage::Condition>& fence = std::nullopt) {
  Collections collections(exchange.tenant().rooms, exchange.context().options.collections);
  if (fence) collections.Guard(*fence);
  return collections;
}

Result<std::vector<std::string>> ReadIndexes(const Exchange& exchange) {
  constexpr std::array<std::string_view, 1> kMembers = {"indexes"};
  HOLDFAST_ASSIGN_OR_RETURN(const json::JsonValue json, exchange.ParseBody());
  if (json.kind != json::JsonValue::Kind::kObject) {
    return Invalid("the body is not an object; send {\"indexes\":[\"severity\"]}");
  }
  HOLDFAST_RETURN_IF_ERROR(CheckMembers(json, kMembers, "the body"));
  const json::JsonValue* const indexes = json.Find("indexes");
  if (indexes == nullptr || indexes->kind != json::JsonValue::Kind::kArray) {
    return Invalid("indexes: is missing or not an array; name the paths to index, or send [] for none");
  }
  std::vector<std::string> paths;
  for (const json::JsonValue& path : indexes->items) {
    if (path.kind != json::JsonValue::Kind::kString) return Invalid("indexes: holds something that is not a string");
    paths.push_back(path.text);
  }
  return paths;
}

// What is unfinished may have been begun by another process, which is gone.
void HaveFinished(const Exchange& exchange, const Collection& collection) {
  if (collection.definition.Unfinished()) {
    exchange.store().maintainer->Add(exchange.tenant().name_space, collection.name);
  }
}

Status WriteCollection(const Exchange& exchange, const Collection& collection, json::DocumentWriter* out) {
  HOLDFAST_ASSIGN_OR_RETURN(const auto progress, Of(exchange).Progress(collection, exchange.deadline()));
  out->BeginObject().Key("name").String(collection.name).Key("indexes").BeginArray();
  for (const documents::Index& index : collection.definition.indexes) {
    out->BeginObject().Key("path").String(index.path);
    out->Key("state").String(documents::IndexStateName(index.state));
    for (const auto& [number, built] : progress) {
      if (number == index.number) out->Key("documents").Unsigned(built);
    }
    out->EndObject();
  }
  out->EndArray().EndObject();
  return {};
}

void AnswerCollection(Exchange& exchange, int status, const Collection& collection) {
  const auto out = exchange.NewWriter();
  const Status written = WriteCollection(exchange, collection, out.get());
  if (!written.ok()) return exchange.Fail(written.error());
  exchange.SendDocument(status, *out);
}

ListScope ScopeOf(const Exchange& exchange) {
  ListScope scope;
  scope.store = exchange.store().name;
  scope.name_space = exchange.tenant().name_space;
  scope.subject = "collections";
  return scope;
}

Status AnswerCollections(Exchange& exchange, std::size_t limit) {
  HOLDFAST_ASSIGN_OR_RETURN(const auto signer, exchange.context().cursor_secret->Signer(exchange.deadline()));
  std::optional<std::string> after;
  if (const std::string* cursor = exchange.query().Find("cursor"); cursor != nullptr && !cursor->empty()) {
    auto position = signer->Decode(ScopeOf(exchange), *cursor);
    if (!position) return Invalid("the cursor does not belong to this list; start again without a cursor");
    after = std::move(position->bytes);
  }
  exchange.tally().Count(Call::kScan);
  HOLDFAST_ASSIGN_OR_RETURN(const auto page, Of(exchange).List(std::move(after), limit, exchange.deadline()));
  const auto out = exchange.NewWriter();
  out->BeginObject().Key("items").BeginArray();
  for (const Collection& collection : page.collections) {
    HaveFinished(exchange, collection);
    HOLDFAST_RETURN_IF_ERROR(WriteCollection(exchange, collection, out.get()));
  }
  std::string cursor;
  if (!page.complete && !page.collections.empty()) {
    cursor = signer->Encode(ScopeOf(exchange), {ListPosition::Kind::kBehindKey, page.collections.back().name});
  }
  out->EndArray().Key("cursor").String(cursor).Key("complete").Bool(page.complete).EndObject();
  exchange.SendDocument(200, *out);
  return {};
}

}  // namespace

void ListCollections(ExchangePtr exchange) {
  const std::size_t maximum =
      std::min(exchange->context().options.max_page_entries, exchange->limits().max_scan_entries);
  const auto limit = ReadLimit(exchange->query(), kDefaultPage, maximum);
  if (!limit.ok()) return exchange->Fail(limit.error());
  RunOnPool(std::move(exchange), [limit = *limit](Exchange& running) {
    const Status answered = AnswerCollections(running, limit);
    if (!answered.ok()) running.Fail(answered.error());
  });
}

void PutCollection(ExchangePtr exchange) {
  if (auto refused = CheckJsonContentType(exchange->headers())) return exchange->Fail(*refused);
  auto paths = ReadIndexes(*exchange);
  if (!paths.ok()) return exchange->Fail(paths.error());
  auto fence = ReadFence(*exchange);
  if (!fence.ok()) return exchange->Fail(fence.error());
  RunOnPool(std::move(exchange),
            [paths = std::move(paths).value(), fence = std::move(fence).value()](Exchange& running) {
              const auto put = Of(running, fence).Define(NameOf(running), paths, running.deadline());
              if (!put.ok()) return running.Fail(TransactionProblem(put.error()));
              HaveFinished(running, put->collection);
              AnswerCollection(running, put->created ? 201 : 200, put->collection);
            });
}

void GetCollection(ExchangePtr exchange) {
  RunOnPool(std::move(exchange), [](Exchange& running) {
    const auto collection = Of(running).Get(NameOf(running), running.deadline());
    if (!collection.ok()) return running.Fail(collection.error());
    HaveFinished(running, *collection);
    AnswerCollection(running, 200, *collection);
  });
}

void DeleteCollection(ExchangePtr exchange) {
  auto fence = ReadFence(*exchange);
  if (!fence.ok()) return exchange->Fail(fence.error());
  RunOnPool(std::move(exchange), [fence = std::move(fence).value()](Exchange& running) {
    const auto deleted = Of(running, fence).Delete(NameOf(running), running.deadline());
    if (!deleted.ok()) return running.Fail(TransactionProblem(deleted.error()));
    if (*deleted) running.store().maintainer->Add(running.tenant().name_space, "");
    Response response;
    response.status = 204;
    running.Send(std::move(response));
  });
}

}  // namespace holdfast::api
