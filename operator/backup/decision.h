// What is to be done with a repository, and how it is; of what is known alone. Pure.
//
// A tick has its backup when one of the repository was begun for it, or behind it by whomever: the repository itself
// says what was done, so that an operator that begins anew, or a second one, neither makes a tick's backup twice nor
// misses one. Only the last tick counts: what was missed is made up for once.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/cron/schedule.h"
#include "base/cron/time_zone.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/backup/report.h"

namespace holdfast::backup {

struct Plan {
  cron::Schedule full;
  std::optional<cron::Schedule> differential;
  cron::TimeZone zone;
};
// kInvalidArgument naming the field.
Result<Plan> ParsePlan(const api::PostgresBackup& backup);

struct Facts {
  Timestamp now{};
  bool primary = false;          // there is one, from which a backup could be taken
  std::optional<Report> report;  // nothing: the repository's pod does not answer
  std::optional<Archiver> archiver;
  std::string unreachable = {};  // why not
  int silent_looks = 0;          // in a row, at which it did not answer
};

struct Limits {
  // After a failure, doubled with each further one.
  std::chrono::seconds first_retry{30};
  std::chrono::seconds last_retry{900};
  // Looks at which nobody answers before that is told.
  int patience = 3;
  // Bytes. With less free it is the room that keeps a repository from taking a segment of 16 MiB.
  std::int64_t little_room = std::int64_t{32} << 20;
  // Beyond its timeout a backup may be late by that before it is told.
  std::chrono::seconds lateness{3600};
};

struct Step {
  enum class Kind { kNone, kCreateStanza, kFull, kDifferential };
  Kind kind = Kind::kNone;
  Timestamp tick{};  // of a backup
};
Step Decide(const Facts& facts, const Plan& plan, const Limits& limits);

// As the condition BackupHealthy has it.
struct Health {
  bool healthy = false;
  std::string reason = {};
  std::string message = {};
};
Health Judge(const Facts& facts, const Plan& plan, std::chrono::seconds timeout, const Limits& limits);

}  // namespace holdfast::backup
