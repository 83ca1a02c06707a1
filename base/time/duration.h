// Durations and instants as people and protocols write them.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result/result.h"
#include "base/time/clock.h"

namespace holdfast {

// "90" and "1.5" are seconds; "250us", "250ms", "30s", "5m", "1.5h", "7d" name their unit; "1h30m" adds up. Negative,
// empty, finer than a microsecond and overflowing (above 100 years) are kInvalidArgument; zero is a duration, callers
// that refuse it say so.
Result<std::chrono::microseconds> ParseDuration(std::string_view text);
// Exact, in the largest unit that divides it; ParseDuration reads it back: "1h", "1500ms", "0s".
std::string FormatDuration(std::chrono::microseconds duration);

// RFC 3339 in UTC with as many fractional digits as are needed: "2026-11-21T01:02:03.5Z".
std::string FormatTimestamp(Timestamp when);
// Any offset is accepted and taken off; digits finer than a microsecond are cut off; leap seconds (":60") are refused.
Result<Timestamp> ParseTimestamp(std::string_view text);

}  // namespace holdfast
