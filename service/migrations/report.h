// What `holdfast migrate` prints, for people and as one JSON document. Pure.
#pragma once

#include <string>
#include <vector>

#include "service/migrations/plan.h"
#include "service/migrations/schema_state.h"

namespace holdfast::migrations {

// Every step with what is known of it; problems last. Ends with a newline.
std::string StateAsText(const MigrationSet& known, const SchemaState& state, const std::string& schema);
std::string StateAsJson(const MigrationSet& known, const SchemaState& state, const std::string& schema);

// What would be done. `with_sql`: every statement, in the form psql takes.
std::string PlanAsText(const std::vector<Step>& steps, bool with_sql);
std::string PlanAsJson(const std::vector<Step>& steps);

}  // namespace holdfast::migrations
