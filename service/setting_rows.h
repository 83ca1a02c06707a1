// How the rows of the settings table are written down: one call for each row.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/config/settings.h"

namespace holdfast::service {

inline constexpr std::int64_t kKi = 1024;
inline constexpr std::int64_t kMi = 1024 * kKi;
inline constexpr std::int64_t kGi = 1024 * kMi;
inline constexpr std::int64_t kMillisecond = 1'000;  // durations are bounded in microseconds
inline constexpr std::int64_t kSecond = 1'000 * kMillisecond;
inline constexpr std::int64_t kHour = 3'600 * kSecond;

inline config::Setting Text(std::string name, std::string value, std::string description) {
  config::Setting row;
  row.name = std::move(name);
  row.default_value = std::move(value);
  row.description = std::move(description);
  return row;
}

inline config::Setting Number(config::Type type, std::string name, std::string value, std::int64_t minimum,
                              std::int64_t maximum, std::string description) {
  config::Setting row = Text(std::move(name), std::move(value), std::move(description));
  row.type = type;
  row.minimum = minimum;
  row.maximum = maximum;
  return row;
}

inline config::Setting Integer(std::string name, std::string value, std::int64_t minimum, std::int64_t maximum,
                               std::string description) {
  return Number(config::Type::kInteger, std::move(name), std::move(value), minimum, maximum, std::move(description));
}

inline config::Setting Bytes(std::string name, std::string value, std::int64_t minimum, std::int64_t maximum,
                             std::string description) {
  return Number(config::Type::kBytes, std::move(name), std::move(value), minimum, maximum, std::move(description));
}

inline config::Setting Duration(std::string name, std::string value, std::int64_t minimum, std::int64_t maximum,
                                std::string description) {
  return Number(config::Type::kDuration, std::move(name), std::move(value), minimum, maximum, std::move(description));
}

inline config::Setting Choice(std::string name, std::string value, std::vector<std::string> choices,
                              std::string description) {
  config::Setting row = Text(std::move(name), std::move(value), std::move(description));
  row.type = config::Type::kChoice;
  row.choices = std::move(choices);
  return row;
}

inline config::Setting Flag(std::string name, std::string value, std::string description) {
  config::Setting row = Text(std::move(name), std::move(value), std::move(description));
  row.type = config::Type::kBool;
  return row;
}

inline config::Setting List(std::string name, std::string description) {
  config::Setting row = Text(std::move(name), "", std::move(description));
  row.type = config::Type::kList;
  return row;
}

}  // namespace holdfast::service
