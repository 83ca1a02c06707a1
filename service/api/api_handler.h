// The storage API as an HTTP handler: routes a request, checks what every request must satisfy, and hands it to the
// endpoint that knows what to do. Knows stores and nothing of sockets; docs/api.md is the contract.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

#include "base/metrics/metrics.h"
#include "base/time/clock.h"
#include "service/api/health.h"
#include "service/api/once.h"
#include "service/api/telemetry.h"
#include "service/documents/definition.h"
#include "service/http/http_message.h"
#include "service/storage/store.h"
#include "service/tenancy/tenancy.h"
#include "service/transactions/transaction_manager.h"

namespace holdfast::api {

struct ApiOptions {
  std::chrono::microseconds default_timeout = std::chrono::seconds{10};
  std::chrono::microseconds maximum_timeout = std::chrono::minutes{5};
  std::size_t max_batch_body_bytes = 64u << 20;            // batch and transaction: 413
  std::size_t max_snapshot_bytes = std::size_t{64} << 30;  // a checkpoint that is sent: 413
  std::size_t max_batch_response_bytes = 64u << 20;  // values a batch reads; what comes behind is refused, not read
  std::size_t max_page_entries = 10'000;             // limit= of a list: 400
  std::size_t max_examined_entries = 100'000;        // read for one page with a filter or delimiter; it ends there
  documents::CollectionLimits collections;
  const Clock* clock = &SystemClock();
  AccessLog access_log = AccessLog::kOff;
  transactions::ManagerOptions transactions;
  OnceOptions once;
  std::shared_ptr<tracing::SpanSink> spans;         // null = no tracing
  std::shared_ptr<const tenancy::Tenancy> tenancy;  // null = everybody may do everything, and nothing is counted
};

struct ApiContext;
class Exchange;

// Thread-safe. Must outlive every request it was given.
class ApiHandler final : public Handler {
 public:
  ApiHandler(std::shared_ptr<const storage::StoreRegistry> stores, const ApiOptions& options,
             metrics::Registry& registry, std::function<HealthReport()> health);
  ~ApiHandler() override;

  void Handle(Request& request, Responder responder) override;
  // Of requests that begin from now on. Thread-safe.
  void SetAccessLog(AccessLog access_log);
  BodyTerms TermsOfBody(const Request& request) const override;
  Response Refuse(int status, std::string_view code, std::string_view detail) const override;

 private:
  struct Routed;
  // Behind authentication.
  void Serve(std::unique_ptr<Exchange> exchange, const Routed& routed) const;

  std::unique_ptr<ApiContext> context_;
};

}  // namespace holdfast::api
