// One request on its way through a handler: what was asked, of which store, by when, and how it is answered.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/time/deadline.h"
#include "service/api/accept.h"
#include "service/api/api_handler.h"
#include "service/api/audit_trail.h"
#include "service/api/cursor_secret.h"
#include "service/api/document_body.h"
#include "service/api/metrics.h"
#include "service/api/once.h"
#include "service/api/problem.h"
#include "service/api/query_string.h"
#include "service/api/request_headers.h"
#include "service/api/telemetry.h"
#include "service/json/document_writer.h"
#include "service/tenancy/tenancy.h"
#include "service/tracing/context.h"
#include "service/transactions/transaction_manager.h"

namespace holdfast::api {

struct Endpoint;

// Everything that outlives requests and that handlers share.
struct ApiContext {
  std::shared_ptr<const storage::StoreRegistry> stores;
  ApiOptions options;
  std::function<HealthReport()> health;
  std::unique_ptr<RequestMetrics> request_metrics;
  std::vector<std::unique_ptr<CallTally>> tallies;  // in the order of stores->stores()
  std::vector<DocumentMetrics> document_metrics;    // likewise
  std::unique_ptr<Telemetry> telemetry;
  std::unique_ptr<CursorSecret> cursor_secret;
  tenancy::Tenancy tenancy;
  std::unique_ptr<transactions::TransactionManager> transactions;
  std::unique_ptr<OnceMetrics> once_metrics;
  std::string openapi;  // the finished document
};

// Used from one thread at a time. Dropped unanswered, it answers 500 `internal`. Until it is answered, the request and
// every view into it live.
class Exchange {
 public:
  Exchange(const ApiContext& context, Request& request, Responder responder);

  const ApiContext& context() const { return context_; }
  Request& request() { return request_; }
  RequestHeaders& headers() { return headers_; }
  const RequestHeaders& headers() const { return headers_; }
  // The body as a value, whichever format it is in; CheckJsonContentType was asked before.
  Result<json::JsonValue> ParseBody(ByteStrings byte_strings = ByteStrings::kRefused) const {
    return api::ParseBody(request_.body, headers_, byte_strings);
  }
  const Query& query() const { return query_; }
  bool has_store() const { return store_ != nullptr; }
  const storage::Store& store() const { return *store_; }
  CallTally& tally() const { return *tally_; }
  const DocumentMetrics& document_metrics() const {
    return context_.document_metrics[static_cast<std::size_t>(store_ - context_.stores->stores().data())];
  }
  Deadline deadline() const { return deadline_; }
  // The decoded key, for a route that has one; may be moved out. Of a collection "incidents/", of a document
  // "incidents/42".
  std::string& key() { return key_; }
  const storage::Limits& limits() const { return store_->limits; }
  // The caller's part of the store, for a route that has one.
  const storage::TenantView& tenant() const { return *tenant_; }
  storage::Backend& keys() const { return *tenant_->keys; }

  const std::shared_ptr<const storage::TenantView>& shared_tenant() const { return tenant_; }

  const Accept& accept() const { return accept_; }
  // For the answer, in the format that the client asked for.
  std::unique_ptr<json::DocumentWriter> NewWriter() const { return json::MakeWriter(accept_.document); }
  // The client would rather have lines than a document, and the endpoint has them.
  bool wants_lines() const { return accept_.lines; }
  // Who asks; nobody in particular while authentication is off.
  const tenancy::Principal& caller() const { return *caller_; }
  // The rules when the request came; nullptr while authentication is off: everything is allowed.
  const tenancy::AccessPolicy* policy() const { return policy_.get(); }
  // The namespace the request is in, also where there is no store.
  const std::string& name_space() const { return name_space_; }
  // Where handlers note what they change; nullptr while the audit log is off or the request changes nothing.
  AuditTrail* audit() const { return audit_.get(); }

  // Once the headers are read.
  void BeginTrace();
  // For what it asks of backends from now on; null unless it is traced. Once its store is known.
  tracing::ContextPtr TraceCalls();
  // Set in this order by ApiHandler, as far as the request gets.
  void SetEndpoint(const Endpoint* endpoint);
  const Endpoint& endpoint() const { return *endpoint_; }
  void SetRoute(std::string_view route) { route_ = route; }
  void SetCaller(tenancy::PrincipalPtr caller, tenancy::PolicyPtr policy);
  void SetNamespace(std::string_view name_space) { name_space_ = name_space; }
  void SetStore(const storage::Store* store);
  void SetTenant(std::shared_ptr<const storage::TenantView> tenant) { tenant_ = std::move(tenant); }
  void SetQuery(Query query) { query_ = std::move(query); }
  void SetKey(std::string key) { key_ = std::move(key); }
  void SetDeadline(Deadline deadline) { deadline_ = deadline; }

  void SetAccept(const Accept& accept) { accept_ = accept; }

  // The request has an Idempotency-Key: the answer goes through `once`.
  void SetOnce(std::unique_ptr<Once> once) { once_ = std::move(once); }
  Once* once() const { return once_.get(); }

  // As Responder::WhenGone.
  void WhenGone(std::function<void()> gone) { responder_.WhenGone(std::move(gone)); }

  // Exactly one of these, once; the request's views are gone behind it.
  void Send(Response&& response);
  // What a writer of NewWriter wrote.
  void SendDocument(int status, json::DocumentWriter& document);
  // In the format that the client asked for.
  void SendJson(int status, std::string json);
  void Fail(const Problem& problem);
  void Fail(std::string_view code, std::string detail) { Fail(Problem::Of(code, std::move(detail))); }
  void Fail(const Error& error) { Fail(Problem::Of(error)); }
  // The store's pool refused the work: nothing was attempted.
  void FailBusy();

 private:
  void Observe(Response* response);
  void WriteAudit(const Response& response);

  const ApiContext& context_;
  Request& request_;
  Responder responder_;
  const Endpoint* endpoint_ = nullptr;
  std::string_view route_ = "none";
  const storage::Store* store_ = nullptr;
  const tenancy::Principal* caller_ = tenancy::AnonymousPrincipal().get();
  tenancy::PrincipalPtr known_caller_;  // keeps caller_ alive
  tenancy::PolicyPtr policy_;
  std::string name_space_;
  std::shared_ptr<const storage::TenantView> tenant_;
  CallTally* tally_ = nullptr;
  RequestHeaders headers_;
  Accept accept_;
  Query query_;
  std::string key_;
  Deadline deadline_ = Deadline::Infinite();
  std::unique_ptr<AuditTrail> audit_;
  std::unique_ptr<Once> once_;
  const ProblemKind* failed_ = nullptr;  // what the answer says, if it is a problem
  std::unique_ptr<RequestTrace> trace_;  // null unless somebody wants to be told
  std::size_t request_bytes_ = 0;
};

using ExchangePtr = std::unique_ptr<Exchange>;

}  // namespace holdfast::api
