// Settings from flags, and what is wrong with them.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "service/settings.h"

namespace holdfast::service {

inline std::optional<ServiceSettings> Load(const std::vector<std::string>& flags,
                                           std::vector<config::Problem>* problems) {
  config::Sources sources;
  sources.flags = flags;
  const auto loaded = SettingsTable().Load(sources, problems);
  return loaded ? Interpret(*loaded, problems) : std::nullopt;
}

// A line for each problem; of `more`, a flag stands instead of the one of `flags` with its name. Empty exactly when
// there are settings.
inline std::string ProblemsOf(std::vector<std::string> flags, const std::vector<std::string>& more,
                              std::optional<ServiceSettings>* result = nullptr) {
  for (const std::string& flag : more) {
    const std::string name = flag.substr(0, flag.find('=') + 1);
    std::erase_if(flags, [&](const std::string& other) { return other.starts_with(name); });
    flags.push_back(flag);
  }
  std::vector<config::Problem> problems;
  std::optional<ServiceSettings> settings = Load(flags, &problems);
  std::string text;
  for (const config::Problem& problem : problems) text += problem.where + ": " + problem.message + "\n";
  EXPECT_EQ(settings.has_value(), text.empty());
  if (result != nullptr) *result = std::move(settings);
  return text;
}

}  // namespace holdfast::service
