#include "operator/api/v1/resilience_fields.h"

#include "base/time/duration.h"

namespace holdfast::api {
namespace {

// Of the service, for what was not given; the rule in CEL says the same.
constexpr char kFirstPause[] = "20ms";
constexpr char kLongestPause[] = "1s";

// Without defaults, so that what was not given is told from what was; the service has them.
Field Count(const char* name, const char* description, std::int64_t minimum, std::int64_t maximum,
            bool required = false) {
  return {.name = name,
          .type = FieldType::kInteger,
          .description = description,
          .required = required,
          .minimum = minimum,
          .maximum = maximum};
}

Field Span(const char* name, const char* description, const char* minimum = "1ms", bool required = false) {
  return {.name = name,
          .type = FieldType::kDuration,
          .description = description,
          .required = required,
          .minimum_duration = minimum,
          .maximum_duration = "1h"};
}

Rule FirstPauseRule() {
  return {
      .cel = "duration(has(self.initial) ? self.initial : '20ms') <= duration(has(self.maximum) ? self.maximum : '1s')",
      .message = "initial (20ms when absent) must not be above maximum (1s when absent); lower it, or raise maximum",
      .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
        const auto initial = ParseDuration(self.value("initial", std::string(kFirstPause)));
        const auto maximum = ParseDuration(self.value("maximum", std::string(kLongestPause)));
        if (!initial.ok() || !maximum.ok() || *initial <= *maximum) return {};
        return {self.contains("initial") ? "initial" : "maximum"};
      }};
}

Field Breaker() {
  return {
      .name = "breaker",
      .description =
          "Circuit breaker: while the store fails too often, requests are 503 circuit_open at once. Reads, reads "
          "with consistency=eventual and writes have one each.",
      .fields = {Count("failurePercent", "Of the operations of `window`; opens from here on. 50 when absent.", 1, 100),
                 Count("minOperations", "Operations in `window`; fewer prove nothing. 20 when absent.", 1, 1'000'000),
                 Span("window", "What is looked back at; 10s when absent.", "100ms"),
                 Span("open", "From its opening until requests try whether the store is back; 5s when absent.", "10ms"),
                 Count("probes",
                       "Calls that then have to succeed before it closes; as many are let through at once. 3 when "
                       "absent.",
                       1, 1'000),
                 Span("patience",
                      "A call that the request's own Holdfast-Timeout ended counts only when it had so long; 1s "
                      "when absent.")}};
}

Field Retry() {
  return {.name = "retry",
          .description =
              "Further attempts at a call of which nothing was done (unavailable), with exponential back-off and full "
              "jitter. What may have been done (outcome_unknown) is never tried again.",
          .fields = {Count("attempts", "Attempts at a call, the first included.", 2, 10, true),
                     Span("initial", "Bound of the first pause, which doubles; 20ms when absent."),
                     Span("maximum", "Bound of every pause; 1s when absent."),
                     Count("budgetPercent", "Attempts beyond the first, as a share of the calls; 20 when absent.", 0,
                           1'000),
                     Count("budgetPerSecond", "Beside those, a second; 5 when absent.", 0, 100'000),
                     Count("budgetBurst", "Attempts that are saved up at most; 50 when absent.", 1, 100'000)},
          .rules = {FirstPauseRule()}};
}

Field Bulkhead() {
  return {.name = "bulkhead",
          .description = "So many calls of the store at once; behind that they are 503. In each pod of the service.",
          .fields = {Count("calls", "Calls that may be under way at once.", 1, 100'000, true),
                     Span("wait", "How long a call waits for its turn; not at all when absent.")}};
}

Field Hedge() {
  return {.name = "hedge",
          .description =
              "Gets and pages of lists that are late are sent a second time, and the first answer counts. "
              "Never writes.",
          .fields = {Span("after",
                          "Without an answer for so long a read is late; the 95th percentile of their duration is a "
                          "good choice.",
                          "1ms", true),
                     Count("percent", "Of the reads, that may be sent a second time; 5 when absent.", 1, 100),
                     Count("calls", "Reads at once that may be; each has two threads. 32 when absent.", 1, 1'000)}};
}

}  // namespace

Field ResilienceFields() {
  return {.name = "resilience",
          .description =
              "What stands around the store as its clients see it, outside of what it is composed of; other stores on "
              "the same backends do not notice. Nothing when absent.",
          .fields = {Span("callTimeout",
                          "Longest single call: gets, writes, transactions, pages of lists; not counts and deletes of "
                          "a range. A read is 504 deadline_exceeded then, a write 504 outcome_unknown. As long as the "
                          "request allows when absent."),
                     Breaker(), Retry(), Bulkhead(), Hedge()}};
}

}  // namespace holdfast::api
