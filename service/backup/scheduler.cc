#include "service/backup/scheduler.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log/log.h"
#include "base/time/duration.h"

namespace holdfast::backup {
namespace {

// Of a look at the target.
constexpr std::chrono::seconds kLooking{10};
constexpr std::size_t kShownTicks = 3;
constexpr std::string_view kOutcomes[] = {"begun", "elsewhere", "skipped"};

metrics::Counter& TicksOf(metrics::Registry& registry, const std::string& store, std::string_view result) {
  return registry.GetCounter("holdfast_backup_schedule_ticks_total",
                             "Ticks of the schedule of the store's backups that this process has seen to.",
                             {{"store", store}, {"result", std::string(result)}});
}

}  // namespace

Scheduler::Scheduler(std::string store, ScheduleOptions options, const Catalogue& catalogue, ScheduledRuns& runs,
                     const Clock& clock, metrics::Registry& registry)
    : store_(std::move(store)),
      options_(std::move(options)),
      catalogue_(catalogue),
      runs_(runs),
      clock_(clock),
      registry_(registry),
      next_due_(registry.GetGauge("holdfast_backup_schedule_next_timestamp_seconds",
                                  "When the next backup of the store's schedule is due, since 1970.",
                                  {{"store", store_}})) {
  for (const std::string_view outcome : kOutcomes) TicksOf(registry, store_, outcome);
}

Timestamp Scheduler::DueAt(Timestamp tick) const {
  return tick + JitterOf(store_, tick, options_.jitter);
}

std::optional<Timestamp> Scheduler::Due(Timestamp now) {
  const std::lock_guard lock(mutex_);
  const Timestamp latest = options_.when.Latest(now, options_.zone);
  // What came due while nobody was there is made up, and of several the last.
  const bool behind = tick_ && latest > *tick_ && DueAt(latest) <= now;
  if (!tick_ || behind) {
    tick_ = latest;
    not_before_.reset();
  }
  next_due_.Set(std::chrono::duration<double>(DueAt(*tick_).time_since_epoch()).count());
  const bool waits = not_before_ && clock_.Monotonic() < *not_before_;
  return DueAt(*tick_) <= now && !waits ? tick_ : std::nullopt;
}

void Scheduler::Look() {
  FollowRun();
  const auto tick = Due(clock_.Now());
  if (!tick) return;
  const Outcome outcome = SeeTo(*tick);
  if (outcome == Outcome::kAgain) {
    not_before_ = clock_.Monotonic() + kLookAgain;
    return;
  }
  Count(outcome);
  MoveOn(*tick);
}

void Scheduler::MoveOn(Timestamp tick) {
  const std::lock_guard lock(mutex_);
  tick_ = options_.when.Next(tick, options_.zone);
  not_before_.reset();
  next_due_.Set(std::chrono::duration<double>(DueAt(*tick_).time_since_epoch()).count());
}

void Scheduler::Count(Outcome outcome) {
  TicksOf(registry_, store_, kOutcomes[static_cast<std::size_t>(outcome)]).Increment();
}

Scheduler::Outcome Scheduler::SeeTo(Timestamp tick) {
  if (runs_.IsBusy()) {
    log::Warn("a scheduled backup is skipped: a run of the store's backups has not ended",
              {{"store", store_}, {"tick", FormatTimestamp(tick)}});
    return Outcome::kSkipped;
  }
  const auto all = catalogue_.List(Deadline::After(kLooking));
  if (!all.ok()) {
    log::Warn("a scheduled backup waits: those that there are cannot be listed",
              {{"store", store_}, {"tick", FormatTimestamp(tick)}, {"error", all.error().ToString()}});
    return Outcome::kAgain;
  }
  const std::string id = TickId(tick);
  const bool made = std::any_of(all->begin(), all->end(), [&](const StoredBackup& each) {
    return each.id == id || (!each.damage && each.manifest.created_at >= tick);
  });
  return made ? Outcome::kElsewhere : Claim(tick);
}

Scheduler::Outcome Scheduler::Claim(Timestamp tick) {
  const std::string id = TickId(tick);
  const Status claimed = catalogue_.target().PutNew(
      {id, std::string(kClaimObject)}, fmt::format("{}\n", FormatTimestamp(clock_.Now())), Deadline::After(kLooking));
  if (claimed.ok()) return Begin(id);
  if (claimed.error().code() == ErrorCode::kAlreadyExists) return IsAbandoned(id) ? Begin(id) : Outcome::kAgain;
  log::Warn("a scheduled backup waits: its claim cannot be written",
            {{"store", store_}, {"backup", id}, {"error", claimed.error().ToString()}});
  return Outcome::kAgain;
}

bool Scheduler::IsAbandoned(const std::string& id) {
  const auto objects = catalogue_.target().List(id + '/', Deadline::After(kLooking));
  if (!objects.ok()) return false;
  std::string state;
  for (const StoredObject& each : *objects) {
    state += fmt::format("{} {} {}\n", Show(each.name), each.bytes, each.modified_at.time_since_epoch().count());
  }
  const MonotonicTime now = clock_.Monotonic();
  if (state != claimed_state_) {
    claimed_state_ = std::move(state);
    claimed_since_ = now;
  }
  if (now - claimed_since_ < kTakeover) return false;
  log::Warn("a scheduled backup is taken over: nothing has come of it for long", {{"store", store_}, {"backup", id}});
  return true;
}

Scheduler::Outcome Scheduler::Begin(const std::string& id) {
  claimed_state_.clear();
  const auto run = runs_.BeginClaimed(id);
  if (!run.ok()) {
    log::Warn("a scheduled backup is skipped", {{"store", store_}, {"backup", id}, {"error", run.error().ToString()}});
    // Another instance may.
    const Status left = catalogue_.target().Delete({id, std::string(kClaimObject)}, Deadline::After(kLooking));
    if (!left.ok())
      log::Warn("its claim stays", {{"store", store_}, {"backup", id}, {"error", left.error().ToString()}});
    return Outcome::kSkipped;
  }
  run_ = run->id;
  log::Info("a scheduled backup is begun", {{"store", store_}, {"backup", id}, {"run", run_}});
  return Outcome::kBegun;
}

void Scheduler::FollowRun() {
  if (run_.empty()) return;
  const auto run = runs_.FindRun(run_);
  if (run.ok() && !run->finished_at) return;
  run_.clear();
  if (run.ok() && !run->error && options_.drill_every > 0) DrillIfDue();
}

void Scheduler::DrillIfDue() {
  const auto all = catalogue_.List(Deadline::After(kLooking));
  if (!all.ok() || all->empty()) return;
  // Known from the target, so that neither a restart nor another instance begins to count anew.
  const auto tried = std::find_if(all->rbegin(), all->rend(), [](const StoredBackup& each) { return each.drill; });
  const auto untried = static_cast<std::size_t>(tried - all->rbegin());
  if (untried < options_.drill_every) return;
  const auto run = runs_.BeginDrill(all->back().id);
  if (!run.ok()) log::Warn("a drill is left out", {{"store", store_}, {"error", run.error().ToString()}});
}

storage::BackupSchedule Scheduler::Describe() const {
  storage::BackupSchedule schedule;
  schedule.expression = options_.when.text();
  schedule.time_zone = options_.zone.name();
  std::optional<Timestamp> tick;
  {
    const std::lock_guard lock(mutex_);
    tick = tick_;
  }
  if (!tick) tick = options_.when.Next(clock_.Now(), options_.zone);
  while (schedule.next.size() < kShownTicks) {
    schedule.next.push_back(DueAt(*tick));
    tick = options_.when.Next(*tick, options_.zone);
  }
  return schedule;
}

}  // namespace holdfast::backup
