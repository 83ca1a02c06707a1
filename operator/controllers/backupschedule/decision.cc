#include "operator/controllers/backupschedule/decision.h"

#include <algorithm>
#include <utility>

#include "base/cron/schedule.h"
#include "base/cron/time_zone.h"
#include "base/time/duration.h"

namespace holdfast::backupschedule {
namespace {

// Between a tick and the one before it.
constexpr std::chrono::microseconds kInstant{1};

struct Ticks {
  cron::Schedule schedule;
  cron::TimeZone zone;

  Timestamp Latest(Timestamp at) const { return schedule.Latest(at, zone); }
  Timestamp Before(Timestamp tick) const { return schedule.Latest(tick - kInstant, zone); }
  Timestamp Next(Timestamp after) const { return schedule.Next(after, zone); }
};

Result<Ticks> ParseTicks(const api::BackupSchedule& schedule) {
  auto ticks = cron::Schedule::Parse(schedule.schedule);
  if (!ticks.ok()) return std::move(ticks).error().WithContext("schedule");
  auto zone = cron::TimeZone::Load(schedule.time_zone);
  if (!zone.ok()) return std::move(zone).error().WithContext("timeZone");
  return Ticks{std::move(ticks).value(), std::move(zone).value()};
}

class Decider {
 public:
  Decider(const Facts& facts, const api::BackupSchedule& schedule)
      : facts_(facts),
        schedule_(schedule),
        now_(std::chrono::floor<std::chrono::seconds>(facts.now)),
        plan_{.schedule = schedule, .status = {.name = schedule.name}} {
    const auto known = std::find_if(facts.known.begin(), facts.known.end(),
                                    [&](const api::BackupScheduleStatus& each) { return each.name == schedule.name; });
    if (known != facts.known.end()) status() = *known;
    for (const ScheduledBackup& each : facts.backups) {
      if (each.schedule == schedule.name) backups_.push_back(&each);
    }
    std::sort(backups_.begin(), backups_.end(),
              [](const ScheduledBackup* a, const ScheduledBackup* b) { return a->tick > b->tick; });
  }

  SchedulePlan Decide() {
    BeginAnew();
    const Result<Ticks> ticks = ParseTicks(schedule_);
    status().next_schedule.reset();
    if (ticks.ok() && !schedule_.suspend && !facts_.quiet) SeeToTick(*ticks);
    if (ticks.ok() && !schedule_.suspend) status().next_schedule = ticks->Next(std::max(facts_.now, Seen()));
    Follow();
    if (!facts_.quiet) {
      Judge(ticks);
      Prune();
    }
    return std::move(plan_);
  }

 private:
  api::BackupScheduleStatus& status() { return plan_.status; }
  Timestamp Seen() const { return *plan_.status.seen_up_to; }

  void Tell(bool warning, std::string reason, std::string message) {
    plan_.news = News{warning, std::move(reason), "schedule " + schedule_.name + ": " + std::move(message)};
  }

  // What was not there before, other ticks, and what was resumed: with the next tick.
  void BeginAnew() {
    std::string ticks = schedule_.schedule + " " + schedule_.time_zone;
    const bool resumed = status().suspended && !schedule_.suspend;
    if (status().schedule != ticks || resumed || !status().since || !status().seen_up_to) {
      status().since = now_;
      status().seen_up_to = std::max(now_, status().seen_up_to.value_or(now_));
    }
    status().schedule = std::move(ticks);
    status().suspended = schedule_.suspend;
    if (Seen() <= facts_.now + kMaxSetBack) return;
    Tell(true, "ClockSetBack",
         "the last tick, " + FormatTimestamp(Seen()) +
             ", is far ahead of the clock, which is believed: it goes on from now");
    status().seen_up_to = now_;
    status().since = now_;
  }

  void SeeToTick(const Ticks& ticks) {
    const Timestamp tick = ticks.Latest(facts_.now);
    if (tick <= Seen()) return;
    const std::string name = BackupNameOf(facts_.cluster, schedule_.name, tick);
    const auto is_made = [&](const ScheduledBackup* each) { return each->name == name; };
    const auto is_active = [](const ScheduledBackup* each) { return !each->over; };
    status().seen_up_to = tick;
    if (std::any_of(backups_.begin(), backups_.end(), is_made)) {
      // By whoever ended before he could note it.
      status().last_schedule = tick;
      return;
    }
    if (schedule_.starting_deadline && facts_.now - tick > *schedule_.starting_deadline) {
      return Tell(true, "BackupMissed",
                  "the backup of " + FormatTimestamp(tick) + " could not be begun within startingDeadline (" +
                      FormatDuration(*schedule_.starting_deadline) + ")");
    }
    const auto active = std::find_if(backups_.begin(), backups_.end(), is_active);
    if (active != backups_.end()) {
      return Tell(true, "BackupSkipped",
                  "the backup of " + FormatTimestamp(tick) + " is skipped: StorageBackup " + (*active)->name +
                      " is still under way");
    }
    plan_.make = tick;
    status().last_schedule = tick;
    Tell(false, "BackupScheduled", "StorageBackup " + name + " is made");
  }

  void Follow() {
    status().active = plan_.make ? BackupNameOf(facts_.cluster, schedule_.name, *plan_.make) : "";
    for (const ScheduledBackup* each : backups_) {
      if (!each->over && status().active.empty()) status().active = each->name;
      if (!each->succeeded || !each->completed) continue;
      // Not before its tick: the service's clock may be behind, and the backup is not of the tick before.
      const Timestamp whole =
          std::max(each->tick, Timestamp(std::chrono::floor<std::chrono::seconds>(*each->completed)));
      status().last_successful = std::max(status().last_successful.value_or(whole), whole);
    }
  }

  void Say(bool healthy, std::string reason, std::string message) {
    status().healthy = healthy;
    status().reason = std::move(reason);
    status().message = std::move(message);
  }

  void Judge(const Result<Ticks>& ticks) {
    if (!ticks.ok()) return Say(false, "InvalidSchedule", ticks.error().message());
    if (schedule_.suspend) return Say(true, "Suspended", "no backups are made until suspend is false");
    const auto last =
        std::find_if(backups_.begin(), backups_.end(), [](const ScheduledBackup* each) { return each->over; });
    if (last != backups_.end() && !(*last)->succeeded) {
      return Say(false, (*last)->reason.empty() ? "BackupFailed" : (*last)->reason,
                 "StorageBackup " + (*last)->name + " failed: " + (*last)->message);
    }
    const Timestamp newest = std::max(status().last_successful.value_or(*status().since), *status().since);
    if (newest < ticks->Before(ticks->Latest(facts_.now))) {
      return Say(false, "BackupOverdue",
                 status().last_successful
                     ? "the newest backup is of " + FormatTimestamp(*status().last_successful) +
                           ", and two ticks have passed since"
                     : "two ticks have passed since " + FormatTimestamp(*status().since) + ", and there is no backup");
    }
    if (!status().last_successful) return Say(true, "NoBackupYet", "the first backup is not there yet");
    Say(true, "BackedUp", "the last backup succeeded");
  }

  // The newest that succeeded is never among them: at least one of each is kept.
  void Prune() {
    std::size_t succeeded = 0;
    std::size_t failed = 0;
    for (const ScheduledBackup* each : backups_) {
      if (!each->over || each->going) continue;
      std::size_t& kept = each->succeeded ? succeeded : failed;
      const std::size_t limit = each->succeeded ? schedule_.successful_history : schedule_.failed_history;
      if (++kept > std::max<std::size_t>(limit, 1)) plan_.remove.push_back(*each);
    }
  }

  const Facts& facts_;
  const api::BackupSchedule& schedule_;
  const Timestamp now_;                          // in whole seconds, as the status has times
  std::vector<const ScheduledBackup*> backups_;  // of the schedule, the last tick's first
  SchedulePlan plan_;
};

}  // namespace

std::vector<api::BackupScheduleStatus> Plan::Statuses() const {
  std::vector<api::BackupScheduleStatus> statuses;
  for (const SchedulePlan& each : schedules) statuses.push_back(each.status);
  return statuses;
}

bool Plan::HasWork() const {
  return std::any_of(schedules.begin(), schedules.end(),
                     [](const SchedulePlan& each) { return each.make || !each.remove.empty(); });
}

Plan Decide(const Facts& facts) {
  Plan plan;
  for (const api::BackupSchedule& each : facts.schedules) {
    plan.schedules.push_back(Decider(facts, each).Decide());
    const std::optional<Timestamp>& next = plan.schedules.back().status.next_schedule;
    if (next) plan.next_tick = std::min(plan.next_tick.value_or(*next), *next);
  }
  return plan;
}

}  // namespace holdfast::backupschedule
