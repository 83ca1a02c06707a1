#include "operator/kube/event_filter.h"

namespace holdfast::kube {
namespace {

std::string VersionMark(const Json& object) {
  return UidOf(object) + "@" + ResourceVersionOf(object);
}

}  // namespace

bool EventFilter::IsReplay(const Json* current, const Json& event_object) const {
  const std::string uid = UidOf(event_object);
  if (!uid.empty() && marks_.contains(uid)) return true;
  if (marks_.contains(VersionMark(event_object))) return true;
  if (current == nullptr || UidOf(*current) != uid) return false;
  return ResourceVersionOf(*current) == ResourceVersionOf(event_object) ||
         GenerationOf(event_object) < GenerationOf(*current);
}

void EventFilter::Superseded(const Json& object) {
  Remember(VersionMark(object));
}

void EventFilter::Removed(const Json& object) {
  std::string uid = UidOf(object);
  Remember(selective_ || uid.empty() ? VersionMark(object) : std::move(uid));
}

void EventFilter::Clear() {
  order_.clear();
  marks_.clear();
}

void EventFilter::Remember(std::string mark) {
  if (!marks_.insert(mark).second) return;
  order_.push_back(std::move(mark));
  if (order_.size() <= kRemembered) return;
  marks_.erase(order_.front());
  order_.pop_front();
}

}  // namespace holdfast::kube
