#include "service/guards.h"

#include <fmt/format.h>

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
using resilience::Subject;

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

// A backend's own have `backend`, a store's `store`: never both, so that neither is added to the other.
metrics::Labels LabelsOf(const Guard& guard, metrics::Labels more = {}) {
  more.emplace(resilience::SubjectName(guard.subject()), guard.name());
  return more;
}

void ExportCircuit(const std::shared_ptr<Guard>& guard, Lane lane, metrics::Registry& registry) {
  const metrics::Labels labels = LabelsOf(*guard, {{"calls", std::string(resilience::LaneName(lane))}});
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
    return FollowedCounter(registry.GetCounter("holdfast_retries_total",
                                               "Calls of a backend or a store that were tried again.",
                                               LabelsOf(*guard, {{"result", result}})));
  };
  registry.OnCollect([guard, made = retries("made"), refused = retries("refused")]() mutable {
    made.Show(guard->budget().taken());
    refused.Show(guard->budget().refused());
  });
}

void ExportHedges(const std::shared_ptr<Guard>& guard, metrics::Registry& registry) {
  const auto hedges = [&](const char* result) {
    return FollowedCounter(registry.GetCounter("holdfast_hedges_total",
                                               "Reads that were sent a second time, or were to be.",
                                               LabelsOf(*guard, {{"result", result}})));
  };
  registry.OnCollect([guard, sent = hedges("sent"), won = hedges("won"), refused = hedges("refused")]() mutable {
    sent.Show(guard->hedge_budget().taken());
    won.Show(guard->hedges_won());
    refused.Show(guard->hedge_budget().refused());
  });
}

void ExportBulkhead(const std::shared_ptr<Guard>& guard, metrics::Registry& registry) {
  const metrics::Labels labels = LabelsOf(*guard);
  metrics::Gauge& calls =
      registry.GetGauge("holdfast_bulkhead_calls", "Calls of a backend or a store that are under way.", labels);
  FollowedCounter refused(
      registry.GetCounter("holdfast_bulkhead_refused_total", "Calls for which there was no place.", labels));
  registry.OnCollect([guard, &calls, refused]() mutable {
    calls.Set(guard->bulkhead()->calls());
    refused.Show(guard->bulkhead()->refused());
  });
}

void ExportEach(const GuardsByName& guards, metrics::Registry& registry) {
  for (const auto& [name, guard] : guards) {
    if (guard->options().breaker) {
      for (const Lane lane : resilience::kLanes) ExportCircuit(guard, lane, registry);
    }
    if (guard->options().attempts > 1) ExportRetries(guard, registry);
    if (guard->options().hedge) ExportHedges(guard, registry);
    if (guard->bulkhead() != nullptr) ExportBulkhead(guard, registry);
  }
}

// [{"backend" or "store","calls","state"}], or nothing when there are none.
std::string CircuitsOf(const GuardsByName& guards) {
  json::JsonWriter list;
  list.BeginArray();
  bool any = false;
  for (const auto& [name, guard] : guards) {
    for (const Lane lane : resilience::kLanes) {
      const CircuitBreaker* const circuit = guard->circuit(lane);
      if (circuit == nullptr) continue;
      any = true;
      list.BeginObject().Key(resilience::SubjectName(guard->subject())).String(name);
      list.Key("calls").String(resilience::LaneName(lane));
      list.Key("state").String(StateName(circuit->state())).EndObject();
    }
  }
  list.EndArray();
  return any ? list.Take() : std::string();
}

template <typename Settings>
GuardsByName GuardsFor(const std::vector<Settings>& all, Subject subject) {
  GuardsByName guards;
  for (const Settings& each : all) {
    if (!each.resilience.any()) continue;
    guards[each.name] = std::make_shared<Guard>(each.name, each.resilience, SystemClock(), subject);
  }
  return guards;
}

}  // namespace

Guards MakeGuards(const ServiceSettings& settings) {
  return {GuardsFor(settings.backends, Subject::kBackend), GuardsFor(settings.stores, Subject::kStore)};
}

std::shared_ptr<Guard> GuardOf(const GuardsByName& guards, std::string_view name) {
  const auto found = guards.find(name);
  return found == guards.end() ? nullptr : found->second;
}

std::shared_ptr<storage::Backend> Behind(const std::shared_ptr<Guard>& guard,
                                         std::shared_ptr<storage::Backend> backend) {
  if (guard == nullptr) return backend;
  if (guard->options().hedge) backend = resilience::MakeHedgedBackend(std::move(backend), guard);
  return resilience::MakeResilientBackend(std::move(backend), guard);
}

void TraceBackends(const std::shared_ptr<tracing::SpanSink>& sink, std::uint64_t max_calls,
                   std::vector<OpenBackend>* backends) {
  if (sink == nullptr || max_calls == 0) return;
  for (OpenBackend& open : *backends) {
    open.backend = tracing::MakeTracedBackend(std::move(open.backend), open.name, sink, max_calls);
  }
}

void PutBehindGuards(const GuardsByName& guards, std::vector<OpenBackend>* backends) {
  for (OpenBackend& open : *backends) open.backend = Behind(GuardOf(guards, open.name), std::move(open.backend));
}

std::string WithCircuits(std::string health, const Guards& guards) {
  const auto add = [&health](std::string_view key, const std::string& list) {
    if (list.empty()) return;
    // In front of the brace that closes the object.
    health.insert(health.rfind('}'), fmt::format(",\"{}\":{}", key, list));
  };
  add("circuits", CircuitsOf(guards.backends));
  add("store_circuits", CircuitsOf(guards.stores));
  return health;
}

void ExportGuards(const Guards& guards, metrics::Registry& registry) {
  ExportEach(guards.backends, registry);
  ExportEach(guards.stores, registry);
}

}  // namespace holdfast::service
