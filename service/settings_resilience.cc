#include "service/settings_resilience.h"

#include <fmt/format.h>

#include "service/setting_rows.h"

namespace holdfast::service {

namespace {

// Where the rows stand, and in which words. What they come to is the same.
struct Place {
  std::string_view prefix;
  std::string_view subject;
  std::string_view call_timeout;
  std::string_view calls;
};

constexpr Place kPlaces[] = {
    {"backends.*.", "backend",
     "Longest single call of any store: gets, writes, transactions, pages of lists; not counts and deletes of a range. "
     "A read is 504 deadline_exceeded then, a write 504 outcome_unknown. 0 = what the request allows.",
     "Calls of all stores"},
    {"stores.*.resilience.", "store",
     "Longest single call of this store, with all that its backends make of it, their further attempts included; the "
     "same calls as backends.*.call_timeout. 0 = what the request allows.",
     "Calls of this store"},
};

void AddRows(const Place& place, std::vector<config::Setting>* rows) {
  const auto row = [&](std::string_view of) { return fmt::format("{}{}", place.prefix, of); };
  rows->insert(
      rows->end(),
      {
          Duration(row("call_timeout"), "0s", 0, kHour, std::string(place.call_timeout)),
          Flag(
              row("breaker"), "false",
              fmt::format("Circuit breaker: while the {} fails too often requests are 503 circuit_open at once. Reads, "
                          "reads with consistency=eventual and writes have one each.",
                          place.subject)),
          Integer(row("breaker_failure_percent"), "50", 1, 100,
                  "breaker: of the operations of breaker_window; opens from here on. A failure is unavailable, and "
                  "deadline_exceeded or outcome_unknown unless the request allowed less than breaker_patience."),
          Integer(row("breaker_min_operations"), "20", 1, 1'000'000,
                  "breaker: operations in breaker_window; fewer prove nothing."),
          Duration(row("breaker_window"), "10s", 100 * kMillisecond, kHour, "breaker: what is looked back at."),
          Duration(row("breaker_open"), "5s", 10 * kMillisecond, kHour,
                   fmt::format("breaker: from its opening until requests try whether the {} is back.", place.subject)),
          Integer(row("breaker_probes"), "3", 1, 1'000,
                  "breaker: calls that then have to succeed before it closes; as many are let through at once."),
          Duration(row("breaker_patience"), "1s", 0, kHour,
                   "breaker: a call that the request's own Holdfast-Timeout ended counts only when it had so long."),
          Integer(row("retry_attempts"), "1", 1, 10,
                  "Attempts at a call of which nothing was done (unavailable), with exponential back-off and full "
                  "jitter. 1 = none is tried again; outcome_unknown never is."),
          Duration(row("retry_initial"), "20ms", kMillisecond, kHour, "retry: bound of the first pause; doubles."),
          Duration(row("retry_maximum"), "1s", kMillisecond, kHour, "retry: bound of every pause."),
          Integer(row("retry_budget_percent"), "20", 0, 1'000,
                  "retry: attempts beyond the first, as a share of the calls."),
          Integer(row("retry_budget_per_second"), "5", 0, 100'000, "retry: beside those."),
          Integer(row("retry_budget_burst"), "50", 1, 100'000, "retry: attempts that are saved up at most."),
          Integer(
              row("bulkhead_calls"), "0", 0, 100'000,
              fmt::format("{} that may be under way at once; behind that 503. 0 = no limit of its own.", place.calls)),
          Duration(row("bulkhead_wait"), "0s", 0, kHour, "bulkhead: how long a call waits for its turn."),
          Duration(row("hedge_after"), "0s", 0, kHour,
                   "Gets and pages of lists without an answer after so long are sent a second time, and the first "
                   "answer counts; the 95th percentile of their duration is a good choice. Never writes. 0 = off."),
          Integer(row("hedge_percent"), "5", 1, 100,
                  "hedge: of the reads, that may be sent a second time; beside those one a second, ten saved up."),
          Integer(row("hedge_calls"), "32", 1, 1'000,
                  "hedge: reads at once that may be; each has two threads. Further ones are sent once."),
      });
}

}  // namespace

void AddResilience(std::vector<config::Setting>* rows) {
  for (const Place& place : kPlaces) AddRows(place, rows);
}

resilience::Options ResilienceOf(const config::Settings& settings, const std::string& prefix,
                                 std::vector<config::Problem>* problems) {
  const auto row = [&](std::string_view of) { return fmt::format("{}.{}", prefix, of); };
  const auto time = [&](std::string_view of) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(settings.Duration(row(of)));
  };
  const auto number = [&](std::string_view of) { return static_cast<int>(settings.Integer(row(of))); };
  resilience::Options options;
  options.timeout = time("call_timeout");
  options.breaker = settings.Bool(row("breaker"));
  options.circuit.failure_percent = number("breaker_failure_percent");
  options.circuit.min_operations = static_cast<std::uint64_t>(settings.Integer(row("breaker_min_operations")));
  options.circuit.window = time("breaker_window");
  options.circuit.open_time = time("breaker_open");
  options.circuit.probes = number("breaker_probes");
  options.patience = time("breaker_patience");
  options.attempts = number("retry_attempts");
  options.backoff.initial = time("retry_initial");
  options.backoff.maximum = time("retry_maximum");
  options.budget.percent = number("retry_budget_percent");
  options.budget.per_second = number("retry_budget_per_second");
  options.budget.burst = number("retry_budget_burst");
  const int calls = number("bulkhead_calls");
  if (calls > 0) options.bulkhead = resilience::BulkheadOptions{calls, time("bulkhead_wait")};

  if (const auto after = time("hedge_after"); after.count() > 0) {
    options.hedge = resilience::HedgeOptions{after, number("hedge_percent"), number("hedge_calls")};
  }

  const auto needs = [&](std::string_view of, std::string_view other) {
    if (!settings.IsSet(row(of))) return;
    problems->push_back({fmt::format("setting {}", row(of)), fmt::format("has no meaning without {}; set that or leave "
                                                                         "it out",
                                                                         row(other))});
  };
  if (!options.breaker) {
    for (const char* of : {"breaker_failure_percent", "breaker_min_operations", "breaker_window", "breaker_open",
                           "breaker_probes", "breaker_patience"}) {
      needs(of, "breaker");
    }
  }
  if (options.attempts == 1) {
    for (const char* of :
         {"retry_initial", "retry_maximum", "retry_budget_percent", "retry_budget_per_second", "retry_budget_burst"}) {
      needs(of, "retry_attempts");
    }
  }
  if (!options.hedge) {
    for (const char* of : {"hedge_percent", "hedge_calls"}) needs(of, "hedge_after");
  }
  if (calls == 0) needs("bulkhead_wait", "bulkhead_calls");
  if (options.backoff.initial > options.backoff.maximum) {
    problems->push_back({fmt::format("setting {}", row("retry_initial")),
                         "is above retry_maximum; lower it, or raise "
                         "the other"});
  }
  return options;
}

}  // namespace holdfast::service
