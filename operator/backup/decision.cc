#include "operator/backup/decision.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/time/duration.h"

namespace holdfast::backup {
namespace {

constexpr char kFull[] = "full";

// Up to when ticks have their backup. Its tick may be the later one where the clocks of pods differ.
std::optional<Timestamp> CoveredUpTo(const Report& report, bool only_full) {
  std::optional<Timestamp> covered;
  for (const Backup& backup : report.backups) {
    if (only_full && backup.type != kFull) continue;
    const Timestamp up_to = std::max(backup.start, backup.tick.value_or(backup.start));
    if (!covered || *covered < up_to) covered = up_to;
  }
  return covered;
}

bool MayTryAgain(const std::optional<Attempt>& attempt, Timestamp now, const Limits& limits) {
  if (!attempt || !attempt->Failed()) return true;
  std::chrono::seconds wait = limits.first_retry;
  for (std::int64_t i = 1; i < attempt->failures && wait < limits.last_retry; ++i) wait *= 2;
  return now - *attempt->ended >= std::min(wait, limits.last_retry);
}

// The tick of a backup that is not there yet.
std::optional<Timestamp> Due(const Report& report, bool full, const cron::Schedule& schedule, const Facts& facts,
                             const cron::TimeZone& zone) {
  const Timestamp tick = schedule.Latest(facts.now, zone);
  const std::optional<Timestamp> covered = CoveredUpTo(report, full);
  if (covered && *covered >= tick) return std::nullopt;
  return tick;
}

std::optional<Step> DueStep(const Report& report, const Facts& facts, const Plan& plan) {
  if (const auto tick = Due(report, true, plan.full, facts, plan.zone)) return Step{Step::Kind::kFull, *tick};
  if (!plan.differential) return std::nullopt;
  if (const auto tick = Due(report, false, *plan.differential, facts, plan.zone)) {
    return Step{Step::Kind::kDifferential, *tick};
  }
  return std::nullopt;
}

std::string ArchiveIsStuck(const Archiver& archiver) {
  return fmt::format(
      "segment {} of the write-ahead log cannot be archived: PostgreSQL keeps it and goes on, until its volume is full",
      archiver.segment);
}

// Why something failed that would not have with more room.
std::optional<std::string> IsFull(const Facts& facts, const Limits& limits) {
  const Report& report = *facts.report;
  if (!report.room) return std::nullopt;
  const auto lacked_room = [](const std::optional<Attempt>& attempt) {
    return attempt && attempt->Failed() && attempt->message.find("No space left") != std::string::npos;
  };
  const bool stuck = facts.archiver && facts.archiver->failing;
  if (!lacked_room(report.backup) && !lacked_room(report.stanza_create) &&
      !(stuck && report.room->free < limits.little_room)) {
    return std::nullopt;
  }
  return fmt::format(
      "the repository is full, {} MiB of {} are free: let its volume grow (backup.storage.size) or keep fewer backups "
      "(backup.retention){}",
      report.room->free >> 20, report.room->size >> 20, stuck ? "; " + ArchiveIsStuck(*facts.archiver) : "");
}

template <typename T>
Result<T> Named(Result<T> result, const char* field) {
  if (result.ok()) return result;
  return std::move(result).error().WithContext(field);
}

}  // namespace

Result<Plan> ParsePlan(const api::PostgresBackup& backup) {
  HOLDFAST_ASSIGN_OR_RETURN(cron::Schedule full,
                            Named(cron::Schedule::Parse(backup.full_schedule), "backup.schedule.full"));
  HOLDFAST_ASSIGN_OR_RETURN(cron::TimeZone zone,
                            Named(cron::TimeZone::Load(backup.time_zone), "backup.schedule.timeZone"));
  Plan plan{.full = std::move(full), .differential = {}, .zone = std::move(zone)};
  if (backup.differential_schedule.empty()) return plan;
  HOLDFAST_ASSIGN_OR_RETURN(plan.differential,
                            Named(cron::Schedule::Parse(backup.differential_schedule), "backup.schedule.differential"));
  return plan;
}

Step Decide(const Facts& facts, const Plan& plan, const Limits& limits) {
  if (!facts.report || !facts.report->error.empty() || facts.report->running || !facts.primary) return {};
  const Report& report = *facts.report;
  if (!report.stanza) {
    return MayTryAgain(report.stanza_create, facts.now, limits) ? Step{.kind = Step::Kind::kCreateStanza} : Step{};
  }
  if (!MayTryAgain(report.backup, facts.now, limits)) return {};
  return DueStep(report, facts, plan).value_or(Step{});
}

Health Judge(const Facts& facts, const Plan& plan, std::chrono::seconds timeout, const Limits& limits) {
  const bool stuck = facts.archiver && facts.archiver->failing;
  if (!facts.report) {
    return {
        false, "RepositoryUnreachable",
        "the repository does not answer: " + facts.unreachable + (stuck ? "; " + ArchiveIsStuck(*facts.archiver) : "")};
  }
  const Report& report = *facts.report;
  if (!report.error.empty()) return {false, "RepositoryUnreadable", report.error};
  if (auto full = IsFull(facts, limits)) return {false, "RepositoryFull", *std::move(full)};
  if (!report.stanza) {
    if (report.stanza_create && report.stanza_create->Failed()) {
      return {false, "RepositoryNotReady", report.stanza_create->message};
    }
    return {false, "NoBackupYet", "the repository is being made"};
  }
  if (stuck) return {false, "ArchiveStuck", ArchiveIsStuck(*facts.archiver)};
  if (report.backup && report.backup->Failed()) {
    return {false, "BackupFailed",
            fmt::format("the last {} backup failed: {}; {} since the last that did not", report.backup->type,
                        report.backup->message, report.backup->failures)};
  }
  if (!CoveredUpTo(report, true)) return {false, "NoBackupYet", "the first full backup is not there yet"};
  const std::optional<Step> due = DueStep(report, facts, plan);
  if (due && facts.now - due->tick > timeout + limits.lateness) {
    return {false, "BackupOverdue",
            "the backup of " + FormatTimestamp(due->tick) + " is not there" +
                (facts.primary ? "" : ": there is no primary to take it from")};
  }
  return {true, "BackedUp", fmt::format("{} backups in the repository", report.backups.size())};
}

}  // namespace holdfast::backup
