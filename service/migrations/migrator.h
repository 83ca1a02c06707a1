// Brings a schema from the step it is at to the one that is wanted.
//
// One runner at a time for each schema: the others wait for a session's advisory lock, which goes with its connection,
// so a runner that was killed holds up nobody. A step is one transaction, in which its record is written too; a run may
// be killed at any statement, and the next one goes on at the first step without a record. A step that cannot be a
// transaction is recorded as begun first and as applied at its end; it is repeated from its beginning, which its few
// kinds of statements allow, behind the removal of the invalid index that an interrupted CREATE INDEX leaves.
//
// No statement waits longer than lock_timeout for a lock in a transaction: PostgreSQL lets every later statement queue
// up behind one that waits for a table, so a migration behind one long transaction would stop all clients. It lets go
// and tries again.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/migrations/connection.h"
#include "service/migrations/plan.h"
#include "service/migrations/schema_state.h"

namespace holdfast::migrations {

struct Progress {
  enum class Event {
    kWaiting,     // another runner works; `text` says who
    kStep,        // a step begins
    kStatement,   // one of its statements is about to run
    kRecord,      // its record is about to be written
    kCommit,      // its transaction is about to be committed
    kLockTimeout  // undone, tried again after a pause; `text` says why
  };
  Event event = Event::kStep;
  const Step* step = nullptr;  // null while waiting
  std::size_t statement = 0;   // of the step, from 1
  std::string text;
};

struct MigratorOptions {
  std::chrono::milliseconds lock_timeout{2'000};           // of a statement in a transaction
  std::chrono::milliseconds statement_timeout{3'600'000};  // of any statement; 0 = none
  std::chrono::milliseconds lock_pause{1'000};             // before a step is tried again
  int lock_attempts = 30;                                  // of a step
  std::chrono::milliseconds runner_wait{300'000};          // for another runner
  std::chrono::milliseconds connect_timeout{15'000};
  std::string release;                               // stands in the records
  std::function<void(const Progress&)> on_progress;  // called from the caller's thread; may be empty
};

struct Migrated {
  int from = 0;
  int to = 0;
  std::vector<Step> steps;  // all of them done; they point into `known`
};

// What stands in the database. Reads only: also on a replica, behind a pooler, and as a role that may only read.
// What a backend calls before it serves, with CheckServable.
Result<SchemaState> ReadSchemaState(const Target& target, const MigrationSet& known, Deadline deadline);

// What stands in the schema and does not hold though its step is applied: indexes that are not valid, constraints that
// were not validated. A sentence with the remedy for each.
Result<std::vector<std::string>> FindDefects(const Target& target, Deadline deadline);

// kInvalidArgument and kFailedPrecondition as MakePlan; kFailedPrecondition behind a pooler, where an advisory lock and
// settings would belong to somebody else; kUnavailable when no primary can be reached; kDeadlineExceeded when another
// runner held the lock for runner_wait; kUnavailable when the connection is lost, kOutcomeUnknown when that was during
// a COMMIT; kInternal when a statement fails: the message names step, line and statement, and the step was undone.
// Steps before it stay.
Result<Migrated> Migrate(const Target& target, const MigrationSet& known, const Goal& goal,
                         const MigratorOptions& options);

}  // namespace holdfast::migrations
