// Which steps lead from the schema that is there to the one that is wanted. Pure.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "service/migrations/migration_set.h"
#include "service/migrations/schema_state.h"

namespace holdfast::migrations {

enum class Direction { kUp, kDown };
std::string_view DirectionName(Direction direction);  // "up", "down"

// The steps point into the set they were planned from.
struct Step {
  const Migration* migration = nullptr;
  Direction direction = Direction::kUp;
  bool resumes = false;  // what an interrupted run began

  const Script& script() const { return direction == Direction::kUp ? migration->up : migration->down; }
};

struct Goal {
  Direction direction = Direction::kUp;
  std::optional<int> to;  // up: default the latest; down: required
  bool allow_data_loss = false;
};

// kFailedPrecondition with state.problems; kInvalidArgument for a goal that lies the other way, is unknown, or destroys
// data without leave. No steps: there is nothing to do.
Result<std::vector<Step>> MakePlan(const MigrationSet& known, const SchemaState& state, const Goal& goal);

}  // namespace holdfast::migrations
