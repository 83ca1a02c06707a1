#include "service/guards.h"

#include "service/followed_counter.h"
#include "service/json/json_writer.h"
#include "service/resilience/hedged_backend.h"
#include "service/resilience/resilient_backend.h"
#include "service/tracing/traced_backend.h"

namespace holdfast::service {
namespace {

using resilience::CircuitBreaker;
using resilience::CircuitState;
using resilience::Guard;
using resilience::Lane;

std::string_view StateName(CircuitState state) {
  switch (state) {
    case CircuitState::kClosed:
      return "closed";
    case CircuitState::kHalfOpen:
      return "half_open";
    case CircuitState::kOpen:
      return "open";
  }
  return "unknown";
}

void ExportCircuit(const std::shared_ptr<Guard>& guard, Lane lane, metrics::Registry& registry) {
  const metrics::Labels labels{{"backend", guard->name()}, {"calls", std::string(resilience::LaneName(lane))}};
  metrics::Gauge& state =
      registry.GetGauge("holdfast_circuit_state", "State of a circuit breaker: 0 closed, 1 half open, 2 open.", labels);
  FollowedCounter opened(
      registry.GetCounter("holdfast_circuit_opened_total", "How often a circuit breaker has opened.", labels));
  FollowedCounter refused(
      registry.GetCounter("holdfast_circuit_refused_total", "Requests refused because it was open.", labels));
  registry.OnCollect([guard, &state, opened, refused, lane]() mutable {
    const CircuitBreaker& circuit = *guard->circuit(lane);
    state.Set(static_cast<double>(circuit.state()));
    opened.Show(circuit.opened());
    refused.Show(circuit.refused());
  });
}

void ExportRetries(const std::shared_ptr<Guard>& guard, metrics::Registry& registry) {
  const auto retries = [&](const char* result) {
    return FollowedCounter(registry.GetCounter("holdfast_retries_total", "Calls of a backend that were tried again.",
                                               {{"backend", guard->name()}, {"result", result}}));
  };
  registry.OnCollect([guard, made = retries("made"), refused = retries("refused")]() mutable {
    made.Show(guard->budget().taken());
    refused.Show(guard->budget().refused());
  });
}

void ExportHedges(const std::shared_ptr<Guard>& guard, metrics::Registry& registry) {
  const auto hedges = [&](const char* result) {
    return FollowedCounter(registry.GetCounter("holdfast_hedges_total",
                                               "Reads of a backend that were sent a second time, or were to be.",
                                               {{"backend", guard->name()}, {"result", result}}));
  };
  registry.OnCollect([guard, sent = hedges("sent"), won = hedges("won"), refused = hedges("refused")]() mutable {
    sent.Show(guard->hedge_budget().taken());
    won.Show(guard->hedges_won());
    refused.Show(guard->hedge_budget().refused());
  });
}

void ExportBulkhead(const std::shared_ptr<Guard>& guard, metrics::Registry& registry) {
  const metrics::Labels labels{{"backend", guard->name()}};
  metrics::Gauge& calls =
      registry.GetGauge("holdfast_bulkhead_calls", "Calls of a backend that are under way.", labels);
  FollowedCounter refused(
      registry.GetCounter("holdfast_bulkhead_refused_total", "Calls for which there was no place.", labels));
  registry.OnCollect([guard, &calls, refused]() mutable {
    calls.Set(guard->bulkhead()->calls());
    refused.Show(guard->bulkhead()->refused());
  });
}

}  // namespace

Guards MakeGuards(const std::vector<BackendSettings>& backends) {
  Guards guards;
  for (const BackendSettings& backend : backends) {
    if (!backend.resilience.any()) continue;
    guards[backend.name] = std::make_shared<Guard>(backend.name, backend.resilience);
  }
  return guards;
}

std::shared_ptr<Guard> GuardOf(const Guards& guards, std::string_view backend) {
  const auto found = guards.find(backend);
  return found == guards.end() ? nullptr : found->second;
}

void TraceBackends(const std::shared_ptr<tracing::SpanSink>& sink, std::uint64_t max_calls,
                   std::vector<OpenBackend>* backends) {
  if (sink == nullptr || max_calls == 0) return;
  for (OpenBackend& open : *backends) {
    open.backend = tracing::MakeTracedBackend(std::move(open.backend), open.name, sink, max_calls);
  }
}

void PutBehindGuards(const Guards& guards, std::vector<OpenBackend>* backends) {
  for (OpenBackend& open : *backends) {
    if (auto guard = GuardOf(guards, open.name)) {
      if (guard->options().hedge) open.backend = resilience::MakeHedgedBackend(std::move(open.backend), guard);
      open.backend = resilience::MakeResilientBackend(std::move(open.backend), std::move(guard));
    }
  }
}

std::string WithCircuits(std::string health, const Guards& guards) {
  json::JsonWriter list;
  list.BeginArray();
  bool any = false;
  for (const auto& [name, guard] : guards) {
    for (const Lane lane : resilience::kLanes) {
      const CircuitBreaker* const circuit = guard->circuit(lane);
      if (circuit == nullptr) continue;
      any = true;
      list.BeginObject().Key("backend").String(name).Key("calls").String(resilience::LaneName(lane));
      list.Key("state").String(StateName(circuit->state())).EndObject();
    }
  }
  list.EndArray();
  if (!any) return health;
  // In front of the brace that closes the object.
  return health.insert(health.rfind('}'), ",\"circuits\":" + list.Take());
}

void ExportGuards(const Guards& guards, metrics::Registry& registry) {
  for (const auto& [name, guard] : guards) {
    if (guard->options().breaker) {
      for (const Lane lane : resilience::kLanes) ExportCircuit(guard, lane, registry);
    }
    if (guard->options().attempts > 1) ExportRetries(guard, registry);
    if (guard->options().hedge) ExportHedges(guard, registry);
    if (guard->bulkhead() != nullptr) ExportBulkhead(guard, registry);
  }
}

}  // namespace holdfast::service
