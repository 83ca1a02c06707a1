// What the readers of a store's composition share: its rows of the settings table, and finding backends.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/config/settings.h"
#include "service/settings.h"

namespace holdfast::service {

// nullptr when there is none. `Backends` is a vector of BackendSettings, const or not.
template <typename Backends>
auto* FindBackend(Backends& backends, std::string_view name) {
  const auto found = std::find_if(backends.begin(), backends.end(),
                                  [&](const BackendSettings& backend) { return backend.name == name; });
  return found == backends.end() ? nullptr : &*found;
}

// The rows "stores.<store>.*" of one store after the other. Refers to what it was made of.
class StoreRows {
 protected:
  StoreRows(const config::Settings& settings, ServiceSettings* result, std::vector<config::Problem>* problems)
      : settings_(settings), result_(*result), problems_(*problems) {}

  std::string Row(std::string_view of) const { return fmt::format("stores.{}.{}", store_->name, of); }
  void Add(std::string_view of, std::string message) {
    problems_.push_back({fmt::format("setting {}", Row(of)), std::move(message)});
  }
  std::chrono::milliseconds Time(std::string_view of) const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(settings_.Duration(Row(of)));
  }
  std::size_t Number(std::string_view of) const { return static_cast<std::size_t>(settings_.Integer(Row(of))); }
  BackendSettings* Find(std::string_view name) { return FindBackend(result_.backends, name); }

  const config::Settings& settings_;
  ServiceSettings& result_;
  std::vector<config::Problem>& problems_;
  StoreSettings* store_ = nullptr;
};

}  // namespace holdfast::service
