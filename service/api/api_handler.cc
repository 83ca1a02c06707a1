#include "service/api/api_handler.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/time/duration.h"
#include "service/api/authorise.h"
#include "service/api/encoding.h"
#include "service/api/exchange.h"
#include "service/api/nearest_name.h"
#include "service/api/openapi.h"
#include "service/api/route_table.h"
#include "service/coordination/store_coordination.h"
#include "service/documents/definition.h"
#include "service/tracing/context.h"
#include "service/tracing/span_ids.h"

namespace holdfast::api {
namespace {

// What a request without a use for a body may still carry: read and dropped, so that the client hears of its real
// mistake instead of a broken connection.
constexpr std::size_t kUnusedBodyBytes = 64u << 10;
constexpr std::size_t kCollectionBodyBytes = 64u << 10;  // the paths of its indexes
constexpr std::size_t kSmallBodyBytes = 4u << 10;        // {"by":5}, {"owner":"me","ttl":"30s"}

std::vector<RequestMetrics::Slot> MetricSlots() {
  std::vector<RequestMetrics::Slot> slots;
  for (const Endpoint& endpoint : Endpoints()) slots.push_back({endpoint.pattern, endpoint.method});
  return slots;
}

const storage::Store* FindStore(const storage::StoreRegistry& stores, std::string_view segment) {
  if (segment.find('%') == std::string_view::npos) return stores.Find(segment);
  const auto name = DecodePercent(segment);
  return name ? stores.Find(*name) : nullptr;
}

Problem UnknownStore(const storage::StoreRegistry& stores, std::string_view segment) {
  std::vector<std::string_view> names{"_default"};
  for (const storage::Store& store : stores.stores()) names.push_back(store.name);
  return Problem::Of("not_found",
                     fmt::format("no store of the name \"{}\" is configured{}", segment, NearestHint(segment, names)));
}

Result<Deadline> ReadDeadline(const RequestHeaders& headers, const ApiOptions& options) {
  if (!headers.timeout) return Deadline::After(options.default_timeout);
  const auto timeout = ParseDuration(*headers.timeout);
  if (!timeout.ok() || *timeout <= std::chrono::microseconds::zero()) {
    return Error(ErrorCode::kInvalidArgument,
                 "Holdfast-Timeout is not a duration above zero; write one like 2s or 500ms");
  }
  if (*timeout > options.maximum_timeout) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("Holdfast-Timeout is above the maximum of {} (setting timeouts.maximum); ask for less",
                             FormatDuration(options.maximum_timeout)));
  }
  return Deadline::After(*timeout);
}

// A key, or a name that is like one.
Result<std::string> ReadKey(std::string_view text, std::size_t limit, RouteKind kind) {
  const bool is_key = kind == RouteKind::kKey;
  const std::string_view word = is_key ? "key" : kind == RouteKind::kDocument ? "id" : "name";
  auto key = DecodePercent(text);
  if (!key) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the {}: a '%' is not followed by two hex digits; write '%25' for '%'", word));
  }
  if (key->empty()) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the {} is empty; a {} is at least 1 byte.{}", word, word,
                             is_key ? " To list keys leave out the '/' behind \"keys\"" : ""));
  }
  if (key->size() > limit) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the {} has {} bytes; the limit is {} (setting limits.key)", word, key->size(), limit));
  }
  return std::move(*key);
}

// What the route is about: "incidents/" for a collection, "incidents/42" for a document, so that rules and the audit
// log see the two as keys with a prefix. No name of a collection has a '/' in it.
Result<std::string> ReadCollection(const RouteMatch& match, std::size_t limit) {
  const auto collection = DecodePercent(match.collection);
  HOLDFAST_RETURN_IF_ERROR(documents::CheckCollectionName(collection.value_or("")));
  std::string subject = *collection;
  subject.push_back('/');
  if (match.route->kind == RouteKind::kDocument) {
    HOLDFAST_ASSIGN_OR_RETURN(const std::string id, ReadKey(match.key, limit, RouteKind::kDocument));
    subject.append(id);
  }
  return subject;
}

Result<Query> ReadQuery(const Request& request, const Endpoint& endpoint) {
  if (request.query.empty()) return Query();
  std::array<std::string_view, 16> known;
  std::transform(endpoint.query.begin(), endpoint.query.end(), known.begin(),
                 [](const QueryParameter& parameter) { return parameter.name; });
  return Query::Parse(request.query, std::span(known).first(endpoint.query.size()));
}

// Everybody may do everything.
tenancy::Tenancy OpenTenancy(const storage::StoreRegistry& stores, metrics::Registry& registry) {
  tenancy::Tenancy open;
  open.access = tenancy::AccessControl::Open({}, registry).value();
  open.accounts = std::make_shared<tenancy::UsageAccounts>();
  const storage::Store& store = stores.default_store();
  open.quotas = std::make_shared<tenancy::QuotaRecords>(store.backend, store.name, open.accounts);
  open.audit = tenancy::AuditLog::Open({}, registry).value();
  return open;
}

}  // namespace

ApiHandler::ApiHandler(std::shared_ptr<const storage::StoreRegistry> stores, const ApiOptions& options,
                       metrics::Registry& registry, std::function<HealthReport()> health)
    : context_(std::make_unique<ApiContext>()) {
  context_->stores = std::move(stores);
  context_->options = options;
  context_->health = std::move(health);
  context_->request_metrics = std::make_unique<RequestMetrics>(registry, MetricSlots());
  for (const storage::Store& store : context_->stores->stores()) {
    context_->tallies.push_back(std::make_unique<CallTally>());
    context_->document_metrics.emplace_back(registry, store.name);
  }
  context_->telemetry = std::make_unique<Telemetry>(options.access_log, options.spans);
  context_->cursor_secret = std::make_unique<CursorSecret>(context_->stores->default_store());
  context_->tenancy = options.tenancy != nullptr ? *options.tenancy : OpenTenancy(*context_->stores, registry);
  context_->transactions =
      std::make_unique<transactions::TransactionManager>(options.transactions, *options.clock, registry);
  context_->once_metrics = std::make_unique<OnceMetrics>(registry);
  context_->openapi = OpenApiDocument(*context_->stores, options);
}

ApiHandler::~ApiHandler() = default;

void ApiHandler::SetAccessLog(AccessLog access_log) {
  context_->telemetry->SetAccessLog(access_log);
}

// What can be said of a request before anybody knows whose it is.
struct ApiHandler::Routed {
  std::optional<RouteMatch> match;
  const Endpoint* endpoint = nullptr;
  std::optional<Problem> problem;  // of its headers
};

void ApiHandler::Handle(Request& request, Responder responder) {
  auto exchange = std::make_unique<Exchange>(*context_, request, std::move(responder));
  Routed routed;
  routed.match = MatchRoute(request.path);
  if (routed.match) {
    exchange->SetRoute(routed.match->route->pattern);
    routed.endpoint = routed.match->route->Find(request.method);
  }
  routed.problem =
      ReadHeaders(request, routed.endpoint != nullptr ? routed.endpoint->headers : ~0u, &exchange->headers());
  exchange->BeginTrace();
  if (!context_->tenancy.access->on()) return Serve(std::move(exchange), routed);
  Authenticate(std::move(exchange),
               [this, routed = std::move(routed)](ExchangePtr known) { Serve(std::move(known), routed); });
}

void ApiHandler::Serve(ExchangePtr exchange, const Routed& routed) const {
  const Request& request = exchange->request();
  const auto& [match, endpoint, problem] = routed;
  exchange->SetNamespace(exchange->headers().name_space.value_or(exchange->caller().name_space));
  if (!storage::IsValidNamespace(exchange->name_space())) {
    return exchange->Fail("invalid_argument",
                          "Holdfast-Namespace is not a name of 1 to 63 letters a-z, digits and '-', which begins and "
                          "ends with a letter or digit");
  }
  if (!match) {
    return exchange->Fail("not_found", "no such path; GET /v1/openapi.json says which there are");
  }
  if (endpoint == nullptr) {
    Problem wrong = Problem::Of("invalid_argument", fmt::format("this path does not take {}; it takes {}",
                                                                MethodName(request.method), match->route->allow));
    wrong.status = 405;
    wrong.allow = match->route->allow;
    return exchange->Fail(wrong);
  }
  exchange->SetEndpoint(endpoint);
  const storage::Store* store = nullptr;
  if (match->route->OfStore()) {
    store = FindStore(*context_->stores, match->store);
    // A store that is not there is refused like one that is, unless the caller may know.
    const std::string_view name = store != nullptr ? std::string_view(store->name) : match->store;
    if (auto refused = CheckPlace(*exchange, endpoint->access, name)) return exchange->Fail(*refused);
  } else if (match->route->kind == RouteKind::kNamespace) {
    exchange->SetNamespace(match->key);
    if (!storage::IsValidNamespace(exchange->name_space())) {
      return exchange->Fail("invalid_argument",
                            "the namespace in the path is not a name of 1 to 63 letters a-z, digits and '-', which "
                            "begins and ends with a letter or digit");
    }
  }
  if (store == nullptr) {
    if (auto refused = CheckPlace(*exchange, endpoint->access, match->store)) return exchange->Fail(*refused);
  }
  // Behind the check of the place: otherwise a stranger could use up another tenant's rate.
  if (auto refused = CheckRate(*exchange)) return exchange->Fail(*refused);
  if (problem) return exchange->Fail(*problem);
  if (endpoint->AnswersJson()) {
    const auto accept = ReadAccept(request, endpoint->has_lines);
    if (!accept.ok()) return exchange->Fail(accept.error());
    exchange->SetAccept(*accept);
  }
  if (match->route->OfStore()) {
    if (store == nullptr) return exchange->Fail(UnknownStore(*context_->stores, match->store));
    exchange->SetStore(store);
    exchange->SetTenant(store->tenants->Find(exchange->name_space()));
  }
  auto query = ReadQuery(request, *endpoint);
  if (!query.ok()) return exchange->Fail(query.error());
  exchange->SetQuery(std::move(query).value());
  if (match->route->kind == RouteKind::kKey || match->route->kind == RouteKind::kName) {
    auto key = ReadKey(match->key, exchange->limits().max_key_bytes, match->route->kind);
    if (!key.ok()) return exchange->Fail(key.error());
    exchange->SetKey(std::move(key).value());
  }
  if (match->route->kind == RouteKind::kCollection || match->route->kind == RouteKind::kDocument) {
    auto subject = ReadCollection(*match, exchange->limits().max_key_bytes);
    if (!subject.ok()) return exchange->Fail(subject.error());
    exchange->SetKey(std::move(subject).value());
  }
  if (auto refused = CheckSubject(*exchange, endpoint->access)) return exchange->Fail(*refused);
  const auto deadline = ReadDeadline(exchange->headers(), context_->options);
  if (!deadline.ok()) return exchange->Fail(deadline.error());
  exchange->SetDeadline(*deadline);

  const auto handle = endpoint->handle;
  // What the handler asks of backends, on whichever thread, is shown in the request's trace.
  const tracing::Scope scope(exchange->TraceCalls());
  if (exchange->headers().idempotency_key) return ServeOnce(std::move(exchange), handle);
  handle(std::move(exchange));
}

BodyTerms ApiHandler::TermsOfBody(const Request& request) const {
  const auto match = MatchRoute(request.path);
  const Endpoint* endpoint = match ? match->route->Find(request.method) : nullptr;
  if (endpoint == nullptr) return {.max_bytes = kUnusedBodyBytes};
  switch (endpoint->body) {
    case BodyKind::kNone:
      return {.max_bytes = kUnusedBodyBytes};
    case BodyKind::kIncrement:
    case BodyKind::kLease:
    case BodyKind::kLeaseExtension:
    case BodyKind::kQuota:
    case BodyKind::kBegin:
    case BodyKind::kNewId:
      return {.max_bytes = kSmallBodyBytes};
    case BodyKind::kCollection:
      return {.max_bytes = kCollectionBodyBytes};
    case BodyKind::kMessage:
      // The same for every store.
      return {.max_bytes = context_->stores->default_store().coordination->options().max_message_bytes};
    case BodyKind::kBatch:
    case BodyKind::kTransaction:
      return {.max_bytes = context_->options.max_batch_body_bytes};
    case BodyKind::kCheckpoint:
      return {.max_bytes = context_->options.max_snapshot_bytes, .in_pieces = true};
    case BodyKind::kValue:
    case BodyKind::kDocument:
      break;
  }
  if (const storage::Store* store = FindStore(*context_->stores, match->store)) {
    return {.max_bytes = store->limits.max_value_bytes};
  }
  // Answered with 404; the default store's limit keeps a large value from hiding that behind a 413.
  return {.max_bytes = context_->stores->default_store().limits.max_value_bytes};
}

Response ApiHandler::Refuse(int status, std::string_view code, std::string_view detail) const {
  Problem problem = Problem::Of(code, std::string(detail));
  problem.status = status;
  context_->request_metrics->CountOther("none", Method::kOther, status);
  return ProblemResponse(problem, tracing::RandomTraceId());
}

}  // namespace holdfast::api
