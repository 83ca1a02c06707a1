// Time zones by their IANA names, with the rules of the system's tzdata (/usr/share/zoneinfo, or $TZDIR).
//
// cctz reads them: libstdc++ 12 has no time zones in <chrono>, glibc's belong to the whole process, and ICU brings a
// copy of the rules of its own age. cctz also knows what follows from a zone's last rule in years to come.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/result/result.h"
#include "base/time/clock.h"

namespace holdfast::cron {

// What a clock on the wall shows, to the minute.
using LocalMinute = std::chrono::local_time<std::chrono::minutes>;

// A value type; thread-safe.
class TimeZone {
 public:
  // kInvalidArgument for a name that the system does not know. "UTC" is there without any tzdata.
  static Result<TimeZone> Load(const std::string& name);

  const std::string& name() const { return name_; }
  // What the clock there shows at that moment, without its seconds.
  LocalMinute ToLocal(Timestamp time) const;
  // The moment at which the clock there first shows that. Where it is moved forward past it: the moment of that.
  // A later minute never gives an earlier moment.
  Timestamp ToInstant(LocalMinute local) const;

 private:
  struct Rules;
  TimeZone(std::string name, std::shared_ptr<const Rules> rules) : name_(std::move(name)), rules_(std::move(rules)) {}

  std::string name_;
  std::shared_ptr<const Rules> rules_;
};

// No clock is moved back by more: the day that Manila and Alaska had twice.
inline constexpr std::chrono::hours kMaxSetBack{24};

}  // namespace holdfast::cron
