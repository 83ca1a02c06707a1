// Other options for a guard in use; what they mean to calls is in the other files.
#include "service/resilience/guard.h"

#include <gtest/gtest.h>

#include "service/resilience/resilient_backend.h"
#include "tests/unit/service/resilience/scripted_backend.h"

namespace holdfast::resilience {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Options All() {
  Options options;
  options.breaker = true;
  options.attempts = 2;
  options.backoff = {milliseconds{1}, milliseconds{1}, 1.0};
  options.budget = {0, 0, 100};
  options.bulkhead = BulkheadOptions{2, milliseconds{0}};
  options.hedge = HedgeOptions{milliseconds{5}, 5, 4};
  return options;
}

class GuardOptions : public testing::Test {
 protected:
  ManualClock clock_;
  Guard guard_{"db", All(), clock_};
};

TEST_F(GuardOptions, OtherPartsAreRefusedAndChangeNothing) {
  for (const auto& change : std::initializer_list<void (*)(Options&)>{
           [](Options& options) { options.breaker = false; }, [](Options& options) { options.attempts = 1; },
           [](Options& options) { options.bulkhead.reset(); }, [](Options& options) { options.hedge.reset(); },
           [](Options& options) { options.hedge->calls = 5; },
           [](Options& options) { options.bulkhead->max_wait = milliseconds{1}; }}) {
    Options options = All();
    options.timeout = seconds{7};
    change(options);
    EXPECT_FALSE(guard_.SetOptions(options));
    EXPECT_EQ(guard_.options().timeout, milliseconds{0});
  }
}

TEST_F(GuardOptions, NumbersHoldFromThenOn) {
  const Options& former = guard_.options();
  Options options = All();
  options.timeout = seconds{7};
  options.circuit.min_operations = 2;
  options.bulkhead->max_calls = 1;
  options.budget.per_second = 1;
  EXPECT_TRUE(guard_.SetOptions(options));
  EXPECT_EQ(former.timeout, milliseconds{0});  // who reads it still may
  EXPECT_EQ(guard_.options().timeout, seconds{7});

  const auto place = guard_.bulkhead()->Enter(Deadline::Infinite());
  EXPECT_NE(place, nullptr);
  EXPECT_EQ(guard_.bulkhead()->Enter(Deadline::Infinite()), nullptr);
  EXPECT_FALSE(guard_.budget().Take());
  clock_.Advance(seconds{1});
  EXPECT_TRUE(guard_.budget().Take());
  CircuitBreaker& circuit = *guard_.circuit(Lane::kRead);
  for (int i = 0; i < 2; ++i) circuit.Record(*circuit.Admit(), 0, 1);
  EXPECT_EQ(circuit.state(), CircuitState::kOpen);
}

TEST_F(GuardOptions, AnotherWindowBeginsEmpty) {
  CircuitBreaker& circuit = *guard_.circuit(Lane::kRead);
  for (int i = 0; i < 19; ++i) circuit.Record(*circuit.Admit(), 0, 1);
  Options options = All();
  options.circuit.window = seconds{1};
  EXPECT_TRUE(guard_.SetOptions(options));
  circuit.Record(*circuit.Admit(), 0, 1);
  EXPECT_EQ(circuit.state(), CircuitState::kClosed);
}

TEST_F(GuardOptions, CallsOfABackendInUseTakeThem) {
  Options options;
  options.attempts = 2;
  options.backoff = {milliseconds{1}, milliseconds{1}, 1.0};
  const auto guard = std::make_shared<Guard>("db", options);
  const auto scripted = std::make_shared<ScriptedBackend>();
  const auto backend = MakeResilientBackend(scripted, guard);
  options.attempts = 4;
  EXPECT_TRUE(guard->SetOptions(options));
  scripted->FailNext(ErrorCode::kUnavailable, 3);
  const auto result = storage::ExecuteOne(*backend, storage::Operation::Get("k"), Deadline::Infinite());
  EXPECT_EQ(scripted->calls(), 4);
}

}  // namespace
}  // namespace holdfast::resilience
