#include "service/resilience/gated_executor.h"

#include <gtest/gtest.h>

#include "tests/unit/service/resilience/scripted_backend.h"

namespace holdfast::resilience {
namespace {

using storage::Operation;
using storage::OperationResult;

class Gate : public testing::Test {
 protected:
  Gate() {
    Options options;
    options.breaker = true;
    options.circuit.min_operations = 1;
    guard_ = std::make_shared<Guard>("db", options, clock_);
  }
  void Use(bool reads) { executor_ = MakeGatedExecutor(execution::MakeExecutor(backend_, {}), guard_, reads); }
  void Open(Lane lane) {
    const auto permit = guard_->circuit(lane)->Admit();
    ASSERT_TRUE(permit);
    guard_->circuit(lane)->Record(*permit, 0, 1);
  }
  std::string Run(Operation operation) {
    std::string code;
    executor_->SubmitOne(std::move(operation), Deadline::Infinite(), [&](OperationResult&& result) {
      code = result.status.ok() ? "ok" : std::string(ErrorCodeName(result.status.error().code()));
    });
    return code;
  }

  ManualClock clock_;
  std::shared_ptr<Guard> guard_;
  const std::shared_ptr<ScriptedBackend> backend_ = std::make_shared<ScriptedBackend>();
  std::unique_ptr<execution::Executor> executor_;
};

TEST_F(Gate, RefusesWhatTheCircuitWouldRefuseAndNothingElse) {
  Use(true);
  Open(Lane::kWrite);
  EXPECT_EQ(Run(Operation::Put("k", "1")), "circuit_open");
  EXPECT_EQ(Run(Operation::Get("k")), "not_found");
  Open(Lane::kRead);
  EXPECT_EQ(Run(Operation::Get("k")), "circuit_open");
  Operation eventual = Operation::Get("k");
  eventual.consistency = storage::Consistency::kEventual;
  EXPECT_EQ(Run(eventual), "not_found");
  EXPECT_EQ(backend_->calls(), 2);
  clock_.Advance(std::chrono::seconds{5});
  EXPECT_EQ(Run(Operation::Put("k", "1")), "ok");
}

TEST_F(Gate, ABatchIsRefusedWhole) {
  Use(true);
  Open(Lane::kWrite);
  std::vector<OperationResult> answers;
  executor_->Submit({Operation::Get("a"), Operation::Put("b", "1")}, Deadline::Infinite(),
                    [&](std::vector<OperationResult> results) { answers = std::move(results); });
  ASSERT_EQ(answers.size(), 2u);
  for (const OperationResult& answer : answers) EXPECT_EQ(answer.status.error().code(), ErrorCode::kCircuitOpen);
}

TEST_F(Gate, ARefusalTakesLessThanAMillisecond) {
  Use(true);
  Open(Lane::kRead);
  constexpr int kCalls = 1'001;
  std::vector<std::chrono::nanoseconds> took;
  for (int i = 0; i < kCalls; ++i) {
    const auto began = std::chrono::steady_clock::now();
    EXPECT_EQ(Run(Operation::Get("k")), "circuit_open");
    took.push_back(std::chrono::steady_clock::now() - began);
  }
  // The median: any one of them may have been interrupted by others on the machine.
  std::nth_element(took.begin(), took.begin() + kCalls / 2, took.end());
  EXPECT_LT(took[kCalls / 2], std::chrono::milliseconds{1});
}

TEST_F(Gate, InFrontOfACacheReadsPass) {
  Use(false);
  Open(Lane::kRead);
  Open(Lane::kWrite);
  EXPECT_EQ(Run(Operation::Get("k")), "not_found");
  EXPECT_EQ(Run(Operation::Put("k", "1")), "circuit_open");
}

}  // namespace
}  // namespace holdfast::resilience
