// Three steps, of which going below the second destroys data, and the records of a schema that has them.
#pragma once

#include <vector>

#include "service/migrations/migration_set.h"
#include "service/migrations/schema_state.h"

namespace holdfast::migrations {

inline const MigrationSet& ThreeSteps() {
  static const MigrationSet set =
      MigrationSet::Make({{"0001_one.up.sql", "CREATE TABLE one (a int)"},
                          {"0001_one.down.sql", "DROP TABLE one"},
                          {"0002_two.up.sql", "CREATE TABLE two (a int)"},
                          {"0002_two.down.sql", "-- holdfast: destroys-data\nDROP TABLE two"},
                          {"0003_three.up.sql", "CREATE TABLE three (a int)"},
                          {"0003_three.down.sql", "DROP TABLE three"}})
          .value();
  return set;
}

inline std::vector<Record> Records(int applied) {
  std::vector<Record> records;
  for (int number = 1; number <= applied; ++number) {
    const Migration& step = ThreeSteps().at(number);
    records.push_back({number, step.name, step.up.checksum, step.down.checksum, Record::State::kApplied,
                       "2026-11-21T08:00:00Z", "1.0"});
  }
  return records;
}

}  // namespace holdfast::migrations
