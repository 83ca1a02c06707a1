#include "service/backup/retention.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

namespace holdfast::backup {
namespace {

std::int64_t DayOf(Timestamp time) {
  return std::chrono::floor<std::chrono::days>(time).time_since_epoch().count();
}

// 1970-01-01 was a Thursday.
std::int64_t WeekOf(Timestamp time) {
  constexpr std::int64_t kDaysSinceMonday = 3;
  constexpr std::int64_t kDays = 7;
  const std::int64_t day = DayOf(time) + kDaysSinceMonday;
  return day >= 0 ? day / kDays : (day - kDays + 1) / kDays;
}

// Of each of the first `most` different periods the first that comes.
class Periods {
 public:
  explicit Periods(std::size_t most) : most_(most) {}

  bool Keeps(std::int64_t period) { return seen_.size() < most_ && seen_.insert(period).second; }

 private:
  const std::size_t most_;
  std::set<std::int64_t> seen_;
};

// By the rules alone.
std::vector<bool> StayByRule(std::span<const Retained> all, const RetentionOptions& options) {
  std::vector<bool> stays(all.size());
  Periods days(options.keep_days);
  Periods weeks(options.keep_weeks);
  bool verified_seen = false;
  bool drilled_seen = false;
  for (std::size_t newer = 0; newer < all.size(); ++newer) {
    const std::size_t at = all.size() - 1 - newer;
    const Retained& one = all[at];
    const bool newest_verified = one.verified && !verified_seen;
    verified_seen = verified_seen || one.verified;
    const bool newest_drilled = one.drilled && !drilled_seen;
    drilled_seen = drilled_seen || one.drilled;
    const bool of_day = days.Keeps(DayOf(one.created_at));
    const bool of_week = weeks.Keeps(WeekOf(one.created_at));
    stays[at] =
        newer < options.keep_last || of_day || of_week || newest_verified || newest_drilled || newer == 0 || one.in_use;
  }
  return stays;
}

// What those that stay build on stays too, in whatever order the clocks have put them.
void KeepParents(std::span<const Retained> all, std::vector<bool>* stays) {
  std::map<std::string_view, std::size_t> places;
  for (std::size_t at = 0; at < all.size(); ++at) places.emplace(all[at].id, at);
  for (std::size_t from = 0; from < all.size(); ++from) {
    if (!(*stays)[from]) continue;
    auto parent = places.find(all[from].parent);
    while (parent != places.end() && !(*stays)[parent->second]) {
      (*stays)[parent->second] = true;
      parent = places.find(all[parent->second].parent);
    }
  }
}

}  // namespace

std::vector<std::string> Expendable(std::span<const Retained> all, const RetentionOptions& options) {
  if (options.keep_last == 0 && options.keep_days == 0 && options.keep_weeks == 0) return {};
  std::vector<bool> stays = StayByRule(all, options);
  KeepParents(all, &stays);
  std::vector<const Retained*> going;
  for (std::size_t at = all.size(); at-- > 0;) {
    if (!stays[at]) going.push_back(&all[at]);
  }
  std::stable_sort(going.begin(), going.end(), [](const Retained* a, const Retained* b) { return a->link > b->link; });
  std::vector<std::string> expendable;
  expendable.reserve(going.size());
  for (const Retained* one : going) expendable.push_back(one->id);
  return expendable;
}

}  // namespace holdfast::backup
