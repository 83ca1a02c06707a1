#include "tests/linearizability/backend_caller.h"

namespace holdfast::linearizability {
namespace {

using storage::OperationKind;

Outcome OutcomeOf(const storage::Operation& operation, const storage::OperationResult& result) {
  Outcome outcome;
  if (!result.status.ok()) {
    outcome.code = ErrorCodeName(result.status.error().code());
    const bool refused = outcome.code == "version_conflict" || outcome.code == "already_exists";
    if (refused) outcome.version = result.version;
    return outcome;
  }
  outcome.version = result.version;
  if (result.entry) outcome.value = result.entry->value;
  if (operation.kind == OperationKind::kPut || operation.kind == OperationKind::kDelete) {
    outcome.existed = result.existed;
  }
  if (operation.kind == OperationKind::kIncrement) outcome.number = result.number;
  return outcome;
}

class BackendCaller : public Caller {
 public:
  explicit BackendCaller(storage::Backend& backend) : backend_(backend) {}

  void Make(Call& call) override {
    if (call.single) {
      const storage::Operation& operation = call.transaction.then.front();
      call.outcomes = {OutcomeOf(operation, ExecuteOne(backend_, operation, Deadline::Infinite()))};
      return;
    }
    const auto result = backend_.Transact(call.transaction, Deadline::Infinite());
    if (!result.ok()) {
      // Fits no state: the checker reports it with its code.
      call.outcomes = {Outcome{std::string(ErrorCodeName(result.error().code())), {}, {}, {}, {}}};
      return;
    }
    call.conditions_held = result->conditions_held;
    call.applied = result->applied;
    const auto& branch = call.conditions_held ? call.transaction.then : call.transaction.otherwise;
    for (std::size_t i = 0; i < branch.size(); ++i) call.outcomes.push_back(OutcomeOf(branch[i], result->results[i]));
  }

 private:
  storage::Backend& backend_;
};

}  // namespace

std::unique_ptr<Caller> CallBackend(storage::Backend& backend) {
  return std::make_unique<BackendCaller>(backend);
}

}  // namespace holdfast::linearizability
