#include "base/cron/time_zone.h"

#include <cctz/time_zone.h>
#include <fmt/format.h>

#include <algorithm>

namespace holdfast::cron {
namespace {

constexpr std::size_t kMaxNameBytes = 64;

// A name, and no path that leads elsewhere: cctz opens it below the folder of the zones.
bool IsZoneName(const std::string& name) {
  const auto allowed = [](char byte) {
    const bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
    return letter || (byte >= '0' && byte <= '9') || byte == '/' || byte == '_' || byte == '-' || byte == '+';
  };
  return !name.empty() && name.size() <= kMaxNameBytes && name.front() != '/' && name != "localtime" &&
         std::all_of(name.begin(), name.end(), allowed);
}

}  // namespace

struct TimeZone::Rules {
  cctz::time_zone zone;
};

Result<TimeZone> TimeZone::Load(const std::string& name) {
  Rules rules;
  if (!IsZoneName(name) || !cctz::load_time_zone(name, &rules.zone)) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("there is no time zone \"{}\"; it is an IANA name as Europe/Berlin or UTC, which the "
                             "system's tzdata knows",
                             name));
  }
  return TimeZone(name, std::make_shared<const Rules>(rules));
}

LocalMinute TimeZone::ToLocal(Timestamp time) const {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const cctz::civil_minute shown(rules_->zone.lookup(seconds).cs);
  return LocalMinute(std::chrono::minutes(shown - cctz::civil_minute()));
}

Timestamp TimeZone::ToInstant(LocalMinute local) const {
  const cctz::civil_second shown(cctz::civil_minute() + local.time_since_epoch().count());
  return cctz::convert(shown, rules_->zone);
}

}  // namespace holdfast::cron
