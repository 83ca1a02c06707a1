#include "service/migrations/plan.h"

#include <fmt/format.h>

namespace holdfast::migrations {
namespace {

Error Invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

}  // namespace

std::string_view DirectionName(Direction direction) {
  return direction == Direction::kUp ? "up" : "down";
}

Result<std::vector<Step>> MakePlan(const MigrationSet& known, const SchemaState& state, const Goal& goal) {
  if (!state.problems.empty()) {
    return Error(ErrorCode::kFailedPrecondition, fmt::format("{}", fmt::join(state.problems, "; ")));
  }
  const bool up = goal.direction == Direction::kUp;
  if (!up && !goal.to) return Invalid("down needs --to N: the step to go back to; 0 removes everything");
  const int to = goal.to.value_or(known.latest());
  if (to < 0 || to > known.latest()) {
    return Invalid(
        fmt::format("there is no step {}; the steps are 1 to {}, and 0 is the empty schema", to, known.latest()));
  }
  // An interrupted step may be finished or undone: either script may be repeated.
  const int reached = state.unfinished ? state.unfinished->number : state.version;
  if (up && to < reached) {
    return Invalid(
        fmt::format("the schema is at step {} already; to go back: holdfast migrate down --to {}", reached, to));
  }
  if (!up && to > state.version) {
    return Invalid(fmt::format("the schema is at step {}; to go on: holdfast migrate up --to {}", state.version, to));
  }
  std::vector<Step> steps;
  for (int number = up ? state.version + 1 : reached; up ? number <= to : number > to; number += up ? 1 : -1) {
    const Step step{&known.at(number), goal.direction, state.unfinished && state.unfinished->number == number};
    if (step.script().destroys_data && !goal.allow_data_loss) {
      return Invalid(
          fmt::format("{} destroys what clients stored; back it up, then say --allow-data-loss", step.script().file));
    }
    steps.push_back(step);
  }
  return steps;
}

}  // namespace holdfast::migrations
