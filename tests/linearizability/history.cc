#include "tests/linearizability/history.h"

#include <fmt/format.h>

namespace holdfast::linearizability {
namespace {

std::string DescribePrecondition(const storage::Precondition& precondition) {
  using Kind = storage::Precondition::Kind;
  switch (precondition.kind) {
    case Kind::kNone:
      return "";
    case Kind::kAbsent:
      return " if absent";
    case Kind::kPresent:
      return " if present";
    case Kind::kVersion:
      return fmt::format(" if version {}", precondition.version);
    case Kind::kValue:
      return fmt::format(" if value {}", precondition.value);
    case Kind::kNotFenced:
      return fmt::format(" if not fenced at {}", precondition.token);
  }
  return "";
}

std::string DescribeOperation(const storage::Operation& operation) {
  std::string text = fmt::format("{} {}", storage::OperationKindName(operation.kind), operation.key);
  if (operation.kind == storage::OperationKind::kPut) text.append("=").append(operation.value);
  if (operation.kind == storage::OperationKind::kIncrement) text.append(fmt::format(" by {}", operation.by));
  return text.append(DescribePrecondition(operation.precondition));
}

std::string DescribeOutcome(const Outcome& outcome) {
  std::string text = outcome.code;
  if (outcome.value) text.append(" ").append(*outcome.value);
  if (outcome.number) text.append(fmt::format(" {}", *outcome.number));
  if (outcome.version) text.append(fmt::format(", version {}", *outcome.version));
  return text;
}

}  // namespace

Call Call::Single(storage::Operation operation) {
  Call call;
  call.transaction.then.push_back(std::move(operation));
  return call;
}

std::map<std::string, History> ByKey(const History& history) {
  std::map<std::string, History> parts;
  for (const Call& call : history) parts[call.transaction.then.front().key].push_back(call);
  return parts;
}

std::string Describe(const Call& call) {
  std::string text = fmt::format("client {} [{}, {}]", call.client, call.invoked, call.returned);
  for (const storage::Condition& condition : call.transaction.conditions) {
    text.append(" if ").append(condition.key).append(DescribePrecondition(condition.precondition));
  }
  const auto& branch = call.conditions_held ? call.transaction.then : call.transaction.otherwise;
  if (!call.single) text.append(call.conditions_held ? " then" : " else");
  for (std::size_t i = 0; i < branch.size(); ++i) {
    text.append(" ").append(DescribeOperation(branch[i]));
    if (i < call.outcomes.size()) text.append(" -> ").append(DescribeOutcome(call.outcomes[i])).append(";");
  }
  if (!call.applied) text.append(" not applied");
  return text;
}

}  // namespace holdfast::linearizability
