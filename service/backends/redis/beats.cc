#include "service/backends/redis/beats.h"

#include <algorithm>
#include <utility>

namespace holdfast::storage::redis_backend {

void Beats::Sent(std::string row, Time at) {
  const std::lock_guard lock(mutex_);
  while (!beats_.empty() && beats_.front().at + kept_ < at) beats_.pop_front();
  beats_.push_back({std::move(row), at});
}

std::optional<Beats::Sight> Beats::Place(std::string_view row) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(beats_.rbegin(), beats_.rend(), [&](const Beat& beat) { return beat.row == row; });
  if (found == beats_.rend()) return std::nullopt;
  return Sight{found->at, found == beats_.rbegin()};
}

}  // namespace holdfast::storage::redis_backend
