#include "operator/kube/event_correlator.h"

#include <array>
#include <charconv>

#include "base/time/duration.h"

namespace holdfast::kube {
namespace {

constexpr std::size_t kNameBytes = 253;  // of any object's name

// metav1.Time: whole seconds.
std::string FormatTime(Timestamp when) {
  return FormatTimestamp(std::chrono::floor<std::chrono::seconds>(when));
}

}  // namespace

std::optional<EventWrite> EventCorrelator::Correlate(const Occurrence& occurrence) {
  const ObjectId object{occurrence.kind, occurrence.object, occurrence.uid};
  if (!Allow(object, occurrence.when)) return std::nullopt;
  Series& series = series_.Touch({object, occurrence.type, occurrence.reason, occurrence.message});
  if (series.count == 0 || occurrence.when - series.last > kSameEventInterval) {
    series = {NewName(occurrence.object.name, occurrence.when), occurrence.when, occurrence.when, 0};
  }
  series.last = occurrence.when;
  ++series.count;
  return EventWrite{MakeEvent(occurrence, series), series.count};
}

// A token bucket per object; raising a count costs as much as a new Event, for the API server it is the same write.
bool EventCorrelator::Allow(const ObjectId& object, Timestamp now) {
  Allowance& allowance = allowances_.Touch(object);
  if (now > allowance.as_of) {
    const auto waited = std::chrono::duration<double>(now - allowance.as_of);
    allowance.left = std::min(kBurst, allowance.left + waited / std::chrono::duration<double>(kRefillInterval));
  }
  allowance.as_of = now;
  if (allowance.left < 1) return false;
  allowance.left -= 1;
  return true;
}

std::string EventCorrelator::NewName(const std::string& object, Timestamp now) {
  last_name_ = std::max(now, last_name_ + std::chrono::microseconds{1});
  std::array<char, 20> hex{};
  const std::int64_t nanoseconds = last_name_.time_since_epoch().count() * 1000;
  const auto end = std::to_chars(hex.data(), hex.data() + hex.size(), nanoseconds, 16).ptr;
  const std::string suffix = "." + std::string(hex.data(), end);
  std::string name = object.substr(0, kNameBytes - suffix.size());
  while (name.ends_with('.') || name.ends_with('-')) name.pop_back();
  return name + suffix;
}

Json EventCorrelator::MakeEvent(const Occurrence& occurrence, const Series& series) const {
  const std::string ns = occurrence.object.ns.empty() ? "default" : occurrence.object.ns;
  Json involved = {{"apiVersion", occurrence.api_version},
                   {"kind", occurrence.kind},
                   {"name", occurrence.object.name},
                   {"uid", occurrence.uid},
                   {"resourceVersion", occurrence.resource_version}};
  if (!occurrence.object.ns.empty()) involved["namespace"] = occurrence.object.ns;
  return {{"apiVersion", "v1"},
          {"kind", "Event"},
          {"metadata", {{"name", series.name}, {"namespace", ns}}},
          {"involvedObject", std::move(involved)},
          {"type", occurrence.type == EventType::kWarning ? "Warning" : "Normal"},
          {"reason", occurrence.reason},
          {"message", occurrence.message},
          {"source", {{"component", component_}}},
          {"reportingComponent", component_},
          {"firstTimestamp", FormatTime(series.first)},
          {"lastTimestamp", FormatTime(series.last)},
          {"count", series.count}};
}

}  // namespace holdfast::kube
