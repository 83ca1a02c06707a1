#include "service/resilience/gated_executor.h"

namespace holdfast::resilience {
namespace {

using storage::Operation;
using storage::OperationResult;

class GatedExecutor final : public execution::Executor {
 public:
  GatedExecutor(std::unique_ptr<Executor> executor, std::shared_ptr<const Guard> guard, bool reads)
      : executor_(std::move(executor)), guard_(std::move(guard)), reads_(reads) {}

  void Submit(std::vector<Operation> operations, Deadline deadline, Done done) override {
    const std::optional<Error> refusal = Refusal(LaneOf(operations));
    if (!refusal) return executor_->Submit(std::move(operations), deadline, std::move(done));
    std::vector<OperationResult> results(operations.size());
    storage::FailAll(results, *refusal);
    done(std::move(results));
  }

  void SubmitOne(Operation&& operation, Deadline deadline, DoneOne done) override {
    const std::optional<Error> refusal = Refusal(LaneOf(operation));
    if (!refusal) return executor_->SubmitOne(std::move(operation), deadline, std::move(done));
    OperationResult result;
    result.status = *refusal;
    done(std::move(result));
  }

  bool Run(std::function<void()> task) override { return executor_->Run(std::move(task)); }
  void Drain() override { executor_->Drain(); }

 private:
  std::optional<Error> Refusal(Lane lane) const {
    if (lane != Lane::kWrite && !reads_) return std::nullopt;
    return guard_->Refusal(lane);
  }

  const std::unique_ptr<Executor> executor_;
  const std::shared_ptr<const Guard> guard_;
  const bool reads_;
};

}  // namespace

std::unique_ptr<execution::Executor> MakeGatedExecutor(std::unique_ptr<execution::Executor> executor,
                                                       std::shared_ptr<const Guard> guard, bool reads) {
  return std::make_unique<GatedExecutor>(std::move(executor), std::move(guard), reads);
}

}  // namespace holdfast::resilience
