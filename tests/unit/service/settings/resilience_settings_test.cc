// What stands in front of a backend, and what stands in front of a store: the same rows in two places.
#include <gmock/gmock.h>

#include <ostream>

#include "tests/unit/service/settings/loaded_settings.h"

namespace holdfast::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

const std::vector<std::string> kPlain = {"--backends.a.type=memory", "--stores.s.backend=a"};

struct Place {
  const char* name;
  std::string prefix;  // of its rows
  const resilience::Options& (*of)(const ServiceSettings& settings);
};
void PrintTo(const Place& place, std::ostream* out) {
  *out << place.name;
}

class ResilienceSettings : public testing::TestWithParam<Place> {
 protected:
  // With rows such as "breaker=true".
  static std::vector<std::string> With(std::vector<std::string> rows) {
    for (std::string& row : rows) row.insert(0, "--" + GetParam().prefix);
    return rows;
  }
};

INSTANTIATE_TEST_SUITE_P(Places, ResilienceSettings,
                         testing::Values(Place{"Backend", "backends.a.",
                                               [](const ServiceSettings& settings) -> const resilience::Options& {
                                                 return settings.backends.at(0).resilience;
                                               }},
                                         Place{"Store", "stores.s.resilience.",
                                               [](const ServiceSettings& settings) -> const resilience::Options& {
                                                 return settings.stores.at(0).resilience;
                                               }}),
                         [](const auto& one) { return std::string(one.param.name); });

TEST_P(ResilienceSettings, OffUnlessAskedFor) {
  std::optional<ServiceSettings> settings;
  ASSERT_EQ(ProblemsOf(kPlain, {}, &settings), "");
  EXPECT_FALSE(GetParam().of(*settings).any());
  ASSERT_EQ(
      ProblemsOf(kPlain,
                 With({"call_timeout=2s", "breaker=true", "breaker_failure_percent=30", "breaker_min_operations=7",
                       "breaker_window=4s", "breaker_open=1s", "breaker_probes=2", "breaker_patience=300ms",
                       "retry_attempts=3", "retry_initial=5ms", "retry_maximum=50ms", "retry_budget_percent=10",
                       "retry_budget_per_second=1", "retry_budget_burst=9", "bulkhead_calls=16", "bulkhead_wait=20ms",
                       "hedge_after=30ms", "hedge_percent=7", "hedge_calls=3"}),
                 &settings),
      "");
  const resilience::Options& options = GetParam().of(*settings);
  EXPECT_EQ(options.timeout, seconds{2});
  EXPECT_TRUE(options.breaker);
  EXPECT_EQ(options.circuit.failure_percent, 30);
  EXPECT_EQ(options.circuit.min_operations, 7u);
  EXPECT_EQ(options.circuit.window, seconds{4});
  EXPECT_EQ(options.circuit.open_time, seconds{1});
  EXPECT_EQ(options.circuit.probes, 2);
  EXPECT_EQ(options.patience, milliseconds{300});
  EXPECT_EQ(options.attempts, 3);
  EXPECT_EQ(options.backoff.initial, milliseconds{5});
  EXPECT_EQ(options.backoff.maximum, milliseconds{50});
  EXPECT_EQ(options.budget.percent, 10);
  EXPECT_EQ(options.budget.per_second, 1);
  EXPECT_EQ(options.budget.burst, 9);
  ASSERT_TRUE(options.bulkhead);
  EXPECT_EQ(options.bulkhead->max_calls, 16);
  EXPECT_EQ(options.bulkhead->max_wait, milliseconds{20});
  ASSERT_TRUE(options.hedge);
  EXPECT_EQ(options.hedge->after, milliseconds{30});
  EXPECT_EQ(options.hedge->percent, 7);
  EXPECT_EQ(options.hedge->calls, 3);
}

TEST_P(ResilienceSettings, RowsOfWhatIsOffAreNamed) {
  for (const auto& [row, other] :
       std::initializer_list<std::pair<const char*, const char*>>{{"breaker_failure_percent=5", "breaker"},
                                                                  {"breaker_min_operations=5", "breaker"},
                                                                  {"breaker_window=1s", "breaker"},
                                                                  {"breaker_open=1s", "breaker"},
                                                                  {"breaker_probes=1", "breaker"},
                                                                  {"breaker_patience=1s", "breaker"},
                                                                  {"retry_initial=1s", "retry_attempts"},
                                                                  {"retry_maximum=2s", "retry_attempts"},
                                                                  {"retry_budget_percent=1", "retry_attempts"},
                                                                  {"retry_budget_per_second=1", "retry_attempts"},
                                                                  {"retry_budget_burst=1", "retry_attempts"},
                                                                  {"bulkhead_wait=1s", "bulkhead_calls"},
                                                                  {"hedge_percent=7", "hedge_after"},
                                                                  {"hedge_calls=7", "hedge_after"}}) {
    const std::string name = GetParam().prefix + std::string(row).substr(0, std::string(row).find('='));
    EXPECT_EQ(ProblemsOf(kPlain, With({row})), "setting " + name + ": has no meaning without " + GetParam().prefix +
                                                   other + "; set that or leave it out\n");
  }
}

TEST_P(ResilienceSettings, TheFirstPauseIsNotAboveTheLongest) {
  const std::string problems =
      ProblemsOf(kPlain, With({"retry_attempts=2", "retry_initial=2s", "retry_maximum=100ms"}));
  EXPECT_THAT(problems, HasSubstr("setting " + GetParam().prefix + "retry_initial: is above retry_maximum"));
}

// What one place is given the other does not get.
TEST(ResilienceOfTwoPlaces, ABackendAndTheStoreOnItHaveTheirOwn) {
  std::optional<ServiceSettings> settings;
  ASSERT_EQ(ProblemsOf(kPlain, {"--backends.a.call_timeout=2s", "--stores.s.resilience.hedge_after=30ms"}, &settings),
            "");
  EXPECT_FALSE(settings->backends.at(0).resilience.hedge);
  EXPECT_EQ(settings->backends.at(0).resilience.timeout, seconds{2});
  EXPECT_TRUE(settings->stores.at(0).resilience.hedge);
  EXPECT_EQ(settings->stores.at(0).resilience.timeout, seconds{0});
}

}  // namespace
}  // namespace holdfast::service
