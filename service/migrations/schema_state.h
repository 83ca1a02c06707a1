// What stands in a database, held against what this binary knows. Deciding only; records.h reads.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "service/migrations/migration_set.h"

namespace holdfast::migrations {

// One row of schema_migrations.
struct Record {
  enum class State {
    kApplied,
    kApplying,   // a step without a transaction began and has not ended
    kReverting,  // the same on its way back
  };
  int number = 0;
  std::string name;
  std::string up_checksum;
  std::string down_checksum;
  State state = State::kApplied;
  std::string applied_at;  // as the server prints it, UTC
  std::string applied_by;  // the release of Holdfast
};
std::string_view StateName(Record::State state);  // "applied", "applying", "reverting"

struct SchemaState {
  int version = 0;  // the last step that is applied in full; 0 = none
  int latest = 0;   // of the binary
  std::vector<Record> records;
  std::optional<Record> unfinished;  // the step that was interrupted, if any
  // Each a sentence that names the step or file and the remedy: a file that was changed after it was applied, a step
  // that is missing, a schema that is newer than the binary. With any of them nothing is migrated.
  std::vector<std::string> problems;

  bool current() const { return problems.empty() && !unfinished && version == latest; }
};

SchemaState Compare(const MigrationSet& known, std::vector<Record> records);

// Ok when a service of this binary may serve on the schema; else kFailedPrecondition with the reason and the remedy.
Status CheckServable(const SchemaState& state);

}  // namespace holdfast::migrations
