// How the values of the settings table are read: one call for each row.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "base/config/settings.h"

namespace holdfast::service {

inline std::size_t Size(const config::Settings& settings, std::string_view name) {
  return static_cast<std::size_t>(settings.Bytes(name));
}

inline std::size_t Number(const config::Settings& settings, std::string_view name) {
  return static_cast<std::size_t>(settings.Integer(name));
}

inline std::chrono::milliseconds Time(const config::Settings& settings, std::string_view name) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(settings.Duration(name));
}

template <typename Value>
Value Chosen(const std::string& text, std::initializer_list<std::pair<std::string_view, Value>> values) {
  const auto found = std::find_if(values.begin(), values.end(), [&](const auto& row) { return row.first == text; });
  return found->second;  // the table let nothing else through
}

}  // namespace holdfast::service
