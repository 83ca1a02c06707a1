#include "tests/linearizability/key_value_model.h"

#include <charconv>

namespace holdfast::linearizability {
namespace {

using storage::Operation;
using storage::OperationKind;
using storage::Precondition;

bool Holds(const Precondition& precondition, const KeyState& state) {
  switch (precondition.kind) {
    case Precondition::Kind::kAbsent:
      return !state.present;
    case Precondition::Kind::kPresent:
      return state.present;
    case Precondition::Kind::kVersion:
      return state.present && state.version == precondition.version;
    case Precondition::Kind::kValue:
      return state.present && state.value == precondition.value;
    default:
      return true;
  }
}

template <typename T, typename U>
bool Told(const std::optional<T>& told, const U& expected) {
  return !told || *told == expected;
}

bool ReadsState(const Outcome& outcome, const KeyState& state) {
  return outcome.code == "ok" && Told(outcome.value, state.value) && Told(outcome.version, state.version);
}

bool Write(const Outcome& outcome, std::string value, KeyState& state) {
  if (outcome.code != "ok" || !Told(outcome.existed, state.present)) return false;
  // Without the version nobody could say which one a later read must show.
  if (!outcome.version || *outcome.version <= state.highest) return false;
  state = {true, std::move(value), *outcome.version, *outcome.version};
  return true;
}

bool Increment(const Operation& operation, const Outcome& outcome, KeyState& state) {
  std::int64_t number = 0;
  if (state.present) {
    const char* const end = state.value.data() + state.value.size();
    const auto parsed = std::from_chars(state.value.data(), end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end) return outcome.code == "failed_precondition";
  }
  number += operation.by;
  return Told(outcome.number, number) && Write(outcome, std::to_string(number), state);
}

bool ApplyOperation(const Operation& operation, const Outcome& outcome, KeyState& state) {
  if (!Holds(operation.precondition, state)) {
    const bool absent_wanted = operation.precondition.kind == Precondition::Kind::kAbsent;
    return outcome.code == (absent_wanted ? "already_exists" : "version_conflict") &&
           Told(outcome.version, state.present ? state.version : 0);
  }
  switch (operation.kind) {
    case OperationKind::kGet:
      return state.present ? ReadsState(outcome, state) : outcome.code == "not_found";
    case OperationKind::kPut:
      return Write(outcome, operation.value, state);
    case OperationKind::kIncrement:
      return Increment(operation, outcome, state);
    case OperationKind::kTake:
      if (!state.present) return outcome.code == "not_found";
      if (!ReadsState(outcome, state)) return false;
      state.present = false;
      return true;
    case OperationKind::kDelete:
      if (outcome.code != "ok" || !Told(outcome.existed, state.present)) return false;
      if (!Told(outcome.version, state.present ? state.version : 0)) return false;
      state.present = false;
      return true;
    case OperationKind::kTouch:
      return outcome.code == (state.present ? "ok" : "not_found");
  }
  return false;
}

}  // namespace

bool KeyValueModel::Apply(const Call& call) {
  if (!call.single) return ApplyTransaction(call);
  const Operation& operation = call.transaction.then.front();
  return ApplyOperation(operation, call.outcomes.front(), keys_[operation.key]);
}

bool KeyValueModel::ApplyTransaction(const Call& call) {
  bool held = true;
  for (const storage::Condition& condition : call.transaction.conditions) {
    held = held && Holds(condition.precondition, keys_[condition.key]);
  }
  if (held != call.conditions_held) return false;
  const auto& branch = held ? call.transaction.then : call.transaction.otherwise;
  if (call.outcomes.size() != branch.size()) return false;
  if (!call.applied) return true;  // changed nothing; why, is the conformance suite's to judge
  for (std::size_t i = 0; i < branch.size(); ++i) {
    if (!ApplyOperation(branch[i], call.outcomes[i], keys_[branch[i].key])) return false;
  }
  return true;
}

std::string KeyValueModel::Fingerprint() const {
  std::string text;
  for (const auto& [key, state] : keys_) {
    text.append(key).push_back('=');
    if (state.present) text.append(state.value).append("@").append(std::to_string(state.version));
    text.append("^").append(std::to_string(state.highest)).push_back('\n');
  }
  return text;
}

}  // namespace holdfast::linearizability
