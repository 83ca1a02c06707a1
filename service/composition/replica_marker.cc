#include "service/composition/replica_marker.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <tuple>

namespace holdfast::composition {
namespace {

constexpr std::string_view kLayout = "1";

auto Newest(const ReplicaMarker& marker) {
  return std::tuple(marker.complete, marker.term, marker.sequence);
}

}  // namespace

std::string ReplicaMarker::Encode() const {
  return fmt::format("{} {} {} {} {} {}", kLayout, promised, term, sequence, version, complete ? 1 : 0);
}

std::optional<ReplicaMarker> ReplicaMarker::Decode(std::string_view text) {
  if (!text.starts_with(kLayout)) return std::nullopt;
  text.remove_prefix(kLayout.size());
  std::array<std::uint64_t, 5> numbers{};
  for (std::uint64_t& number : numbers) {
    if (!text.starts_with(' ')) return std::nullopt;
    text.remove_prefix(1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  }
  if (!text.empty()) return std::nullopt;
  return ReplicaMarker{numbers[0], numbers[1], numbers[2], numbers[3], numbers[4] != 0};
}

std::string MarkerKey(std::string_view store) {
  return "\2v" + std::string(store);
}

bool TermPlan::SameAsSource(std::size_t replica) const {
  return Newest(has[replica]) == Newest(has[source]);
}

Result<TermPlan> PlanTerm(std::span<const SeenMarker> seen, const ReplicaQuorums& quorums) {
  const auto asked = std::count_if(seen.begin(), seen.end(), [](const SeenMarker& one) { return one.has_value(); });
  const bool is_new = static_cast<std::size_t>(asked) == quorums.replicas &&
                      std::all_of(seen.begin(), seen.end(),
                                  [](const SeenMarker& one) { return !one->has_value() || (*one)->term == 0; });
  TermPlan plan;
  plan.promises_needed = quorums.eventual ? std::max(quorums.read, quorums.write) : quorums.replicas / 2 + 1;
  std::size_t complete = 0;
  for (const SeenMarker& one : seen) {
    ReplicaMarker marker = one && *one ? **one : ReplicaMarker{};
    plan.term = std::max(plan.term, marker.promised);
    const bool known = one && one->has_value() && marker.complete;
    marker.complete = known || (one && is_new);
    complete += marker.complete ? 1 : 0;
    plan.has.push_back(marker);
  }
  if (complete < quorums.read || static_cast<std::size_t>(asked) < plan.promises_needed) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("{} of {} replicas answer and {} of them are whole; the store cannot know what was "
                             "acknowledged before {} whole ones and {} in all are there",
                             asked, quorums.replicas, complete, quorums.read, plan.promises_needed));
  }
  ++plan.term;
  std::vector<ReplicaMarker> newest_first;
  std::copy_if(plan.has.begin(), plan.has.end(), std::back_inserter(newest_first),
               [](const ReplicaMarker& marker) { return marker.complete; });
  std::sort(newest_first.begin(), newest_first.end(),
            [](const ReplicaMarker& one, const ReplicaMarker& other) { return Newest(one) > Newest(other); });
  // What fewer than `write` can have, those that are not seen among them, was not acknowledged.
  const std::size_t unseen = quorums.replicas - complete;
  const ReplicaMarker& all = newest_first[quorums.write > unseen + 1 ? quorums.write - unseen - 1 : 0];
  const auto source = std::find_if(plan.has.begin(), plan.has.end(),
                                   [&](const ReplicaMarker& marker) { return Newest(marker) == Newest(all); });
  plan.source = static_cast<std::size_t>(source - plan.has.begin());
  return plan;
}

}  // namespace holdfast::composition
