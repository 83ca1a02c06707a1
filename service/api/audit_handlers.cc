// The audit log, within the caller's namespace.
#include <charconv>

#include "base/time/duration.h"
#include "service/api/cursor.h"
#include "service/api/handlers.h"
#include "service/api/list_limit.h"
#include "service/execution/executor.h"
#include "service/json/json_writer.h"

namespace holdfast::api {
namespace {

constexpr std::size_t kDefaultPage = 100;
constexpr std::size_t kMaxPage = 1'000;

std::string_view ValueOf(const Query& query, std::string_view name) {
  const std::string* value = query.Find(name);
  return value != nullptr ? std::string_view(*value) : std::string_view();
}

// The filters stand in the place of a list's bounds: a cursor goes on with the list it came from only.
ListScope ScopeOf(const Exchange& exchange) {
  const Query& query = exchange.query();
  ListScope scope;
  scope.store = "audit";
  scope.name_space = exchange.name_space();
  scope.prefix = ValueOf(query, "key");
  scope.start = ValueOf(query, "actor");
  scope.end = ValueOf(query, "since");
  return scope;
}

Result<tenancy::AuditQuery> ReadAuditQuery(const Exchange& exchange, const CursorSigner& signer) {
  const Query& query = exchange.query();
  tenancy::AuditQuery wanted;
  wanted.name_space = exchange.name_space();
  if (const std::string* since = query.Find("since")) {
    const auto when = ParseTimestamp(*since);
    if (!when.ok()) {
      return Error(ErrorCode::kInvalidArgument,
                   "since is not an RFC 3339 timestamp; write one like 2027-01-01T00:00:00Z, its '+' as %2B");
    }
    wanted.since = *when;
  }
  if (const std::string* key = query.Find("key")) wanted.key = *key;
  if (const std::string* actor = query.Find("actor")) wanted.actor = *actor;
  HOLDFAST_ASSIGN_OR_RETURN(wanted.limit, ReadLimit(query, kDefaultPage, kMaxPage));
  if (const std::string* cursor = query.Find("cursor"); cursor != nullptr && !cursor->empty()) {
    const auto position = signer.Decode(ScopeOf(exchange), *cursor);
    const std::string last = position ? position->bytes : std::string();
    const char* const end = last.data() + last.size();
    if (!position || std::from_chars(last.data(), end, wanted.after).ptr != end) {
      return Error(ErrorCode::kInvalidArgument,
                   "the cursor does not belong to this list; go on with the same since, key and actor, or start again "
                   "without a cursor");
    }
  }
  return wanted;
}

void AnswerAudit(Exchange& exchange, const tenancy::AuditLog& log) {
  const auto signer = exchange.context().cursor_secret->Signer(exchange.deadline());
  if (!signer.ok()) return exchange.Fail(signer.error());
  const auto query = ReadAuditQuery(exchange, **signer);
  if (!query.ok()) return exchange.Fail(query.error());
  const tenancy::AuditPage page = log.Find(*query);
  json::JsonWriter json;
  json.BeginObject().Key("items").BeginArray();
  for (const tenancy::AuditRecord& record : page.records) json.Raw(tenancy::ToJsonLine(record));
  json.EndArray();
  // Also of the last page: what happens later can be asked for from there.
  std::string cursor;
  if (page.last != 0) {
    cursor = (*signer)->Encode(ScopeOf(exchange), {ListPosition::Kind::kBehindKey, std::to_string(page.last)});
  }
  json.Key("cursor").String(cursor).Key("complete").Bool(page.complete).EndObject();
  exchange.SendJson(200, json.Take());
}

}  // namespace

void GetAudit(ExchangePtr exchange) {
  const tenancy::AuditLog& log = *exchange->context().tenancy.audit;
  if (!log.on()) {
    return exchange->Fail("not_supported", "no audit log is kept; whoever runs the service can set audit.on");
  }
  // The secret of cursors may have to be read from the default store: not on the thread that reads the network.
  const std::shared_ptr<Exchange> shared = std::move(exchange);
  const bool queued =
      shared->context().stores->default_store().executor->Run([shared, &log] { AnswerAudit(*shared, log); });
  if (!queued) shared->FailBusy();
}

}  // namespace holdfast::api
