// What stands in front of the backends: spans of their calls, and what they ask for in their settings
// (service/resilience); and in front of the stores, around all that one is composed of, what they ask for. Guards are
// made before the backends are opened, put in front of them, reported in /healthz and in metrics. Their label is
// `backend` or `store`, never both:
//   holdfast_circuit_state{backend|store,calls}          0 closed, 1 half open, 2 open
//   holdfast_circuit_opened_total{backend|store,calls}   how often it has opened
//   holdfast_circuit_refused_total{backend|store,calls}  requests refused because it was open
//   holdfast_retries_total{backend|store,result}         made, or refused for want of budget
//   holdfast_hedges_total{backend|store,result}          reads sent a second time, those that won, those without a
//   budget holdfast_bulkhead_calls{backend|store}               under way
//   holdfast_bulkhead_refused_total{backend|store}       calls that found no place
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/metrics/metrics.h"
#include "service/resilience/guard.h"
#include "service/settings.h"
#include "service/storage/backend.h"
#include "service/storage/change_history.h"
#include "service/tracing/span.h"

namespace holdfast::service {

struct OpenBackend {
  std::string name;
  std::shared_ptr<storage::Backend> backend;
  storage::ChangeHistory* history = nullptr;  // of the backend itself; null: it keeps none
};

// None for those that ask for nothing.
using GuardsByName = std::map<std::string, std::shared_ptr<resilience::Guard>, std::less<>>;
struct Guards {
  GuardsByName backends;
  GuardsByName stores;
};
Guards MakeGuards(const ServiceSettings& settings);
// nullptr when there is none.
std::shared_ptr<resilience::Guard> GuardOf(const GuardsByName& guards, std::string_view name);
// `backend` with the guard in front; without one `backend` itself, so that who asks for nothing pays for nothing.
std::shared_ptr<storage::Backend> Behind(const std::shared_ptr<resilience::Guard>& guard,
                                         std::shared_ptr<storage::Backend> backend);

// Has every call of a backend told of in the traces of requests (service/tracing/traced_backend.h). In front of the
// drivers, so before PutBehindGuards. No sink, or no calls to tell of: nothing changes.
void TraceBackends(const std::shared_ptr<tracing::SpanSink>& sink, std::uint64_t max_calls,
                   std::vector<OpenBackend>* backends);

// Puts each backend behind its guard.
void PutBehindGuards(const GuardsByName& guards, std::vector<OpenBackend>* backends);

// `health` is a JSON object with members; returned with "circuits":[{"backend","calls","state"}] and
// "store_circuits":[{"store","calls","state"}] added, if there are any. `state` is closed, half_open or open.
std::string WithCircuits(std::string health, const Guards& guards);

// `registry` keeps the guards.
void ExportGuards(const Guards& guards, metrics::Registry& registry);

}  // namespace holdfast::service
