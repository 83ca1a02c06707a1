#include "service/backends/redis/stream_stand.h"

#include <charconv>
#include <system_error>
#include <utility>
#include <vector>

namespace holdfast::storage::redis_backend {
namespace {

enum Place : std::size_t { kHere, kInstances, kEpoch, kJoins, kPosition, kRow, kPlaces };

}  // namespace

Result<std::int64_t> NumberOf(const redis::Value& value) {
  std::int64_t number = 0;
  if (value.IsString()) {
    const std::string& text = value.text();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{} && end == text.data() + text.size()) return number;
  }
  return Error(ErrorCode::kCorruption, "a row of the change stream's state is no number");
}

Result<StreamStand> StandOf(Result<redis::Value> reply) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<redis::Value> stands, redis::AsArray(std::move(reply), "look"));
  if (stands.size() != kPlaces || !stands[kRow].IsString()) {
    return Error(ErrorCode::kInternal, "look: a reply of another length");
  }
  StreamStand stand;
  HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t here, NumberOf(stands[kHere]));
  // Data that was thrown away has no epoch either.
  if (here == 0) return stand;
  stand.here = true;
  HOLDFAST_ASSIGN_OR_RETURN(stand.instances, NumberOf(stands[kInstances]));
  HOLDFAST_ASSIGN_OR_RETURN(stand.epoch, NumberOf(stands[kEpoch]));
  HOLDFAST_ASSIGN_OR_RETURN(stand.joins, NumberOf(stands[kJoins]));
  HOLDFAST_ASSIGN_OR_RETURN(stand.position, NumberOf(stands[kPosition]));
  stand.row = stands[kRow].text();
  return stand;
}

}  // namespace holdfast::storage::redis_backend
