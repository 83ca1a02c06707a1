// When a scheduled backup is due and what it is called: the same for every instance that serves the store. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "base/cron/schedule.h"
#include "base/cron/time_zone.h"
#include "base/time/clock.h"

namespace holdfast::backup {

// What the settings say of when a store is backed up.
struct ScheduleOptions {
  cron::Schedule when;
  cron::TimeZone zone;
  std::chrono::microseconds jitter{};  // no tick begins later than this behind its time
  std::size_t drill_every = 0;         // a drill behind every so many backups; 0: none
};

// The id of the backup of a tick: "tick-20261122t0300z", by UTC.
std::string TickId(Timestamp tick);
// How long behind its time the tick of that store begins: 0 up to `most`, the same in every process, so that the stores
// of many services do not begin together.
std::chrono::microseconds JitterOf(const std::string& store, Timestamp tick, std::chrono::microseconds most);

}  // namespace holdfast::backup
