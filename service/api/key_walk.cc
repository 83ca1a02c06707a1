#include "service/api/key_walk.h"

#include <algorithm>

namespace holdfast::api {

bool KeyWalk::Narrow(storage::ScanRequest* request) const {
  request->range = list_.range;
  if (position_ && position_->kind == ListPosition::Kind::kBehindKey) request->after = position_->bytes;
  if (position_ && position_->kind == ListPosition::Kind::kBehindPrefix) {
    const storage::KeyRange passed = storage::KeyRange::Prefix(position_->bytes);
    storage::KeyRange left;
    if (list_.descending) {
      left.end = passed.start;
    } else if (passed.end) {
      left.start = *passed.end;
    } else {
      return false;  // it begins with bytes that nothing comes behind
    }
    request->range = request->range.Intersect(left);
  }
  return !request->range.end || request->range.start < *request->range.end;
}

std::string_view KeyWalk::CommonPrefix(std::string_view key) const {
  if (list_.delimiter.empty()) return {};
  const std::size_t found = key.find(list_.delimiter, list_.prefix.size());
  return found == std::string_view::npos ? std::string_view() : key.substr(0, found + list_.delimiter.size());
}

bool KeyWalk::Passed(std::string_view key) const {
  return position_ && position_->kind == ListPosition::Kind::kBehindPrefix && key.starts_with(position_->bytes);
}

bool KeyWalk::Take(const storage::KeyedEntry& item, WalkVisitor* visitor) {
  const bool matches = !list_.filter || list_.filter->Matches(item);
  const std::string_view prefix = matches ? CommonPrefix(item.key) : std::string_view();
  if (!prefix.empty()) {
    if (!visitor->OnPrefix(prefix)) return false;
    position_ = {ListPosition::Kind::kBehindPrefix, std::string(prefix)};
    return true;
  }
  if (matches && !visitor->OnItem(item)) return false;
  position_ = {ListPosition::Kind::kBehindKey, item.key};
  return true;
}

Status KeyWalk::Step(storage::Backend& keys, const StepLimits& limits, Deadline deadline, WalkVisitor* visitor) {
  storage::ScanRequest request;
  if (!Narrow(&request)) {
    complete_ = true;
    return {};
  }
  request.descending = list_.descending;
  request.keys_only = !list_.values;
  request.consistency = list_.consistency;
  const std::size_t probe = list_.delimiter.empty() ? SIZE_MAX : probe_;
  request.limit = std::min(limits.entries, probe);
  if (list_.filter) {
    request.filter = {list_.filter->conditions(), std::min(limits.matches, probe), limits.examined};
  }
  HOLDFAST_ASSIGN_OR_RETURN(const storage::ScanPage page, keys.Scan(request, deadline));
  read_ += page.entries.size();
  examined_ += page.entries.size() + page.left_out;
  bool among_passed = false;
  for (const storage::KeyedEntry& item : page.entries) {
    among_passed = Passed(item.key);
    if (among_passed) continue;
    if (!Take(item, visitor)) return {};
    among_passed = Passed(item.key);
  }
  // Of keys below a prefix that was passed the prefix says more.
  if (page.reached && !Passed(*page.reached)) position_ = {ListPosition::Kind::kBehindKey, *page.reached};
  probe_ = among_passed ? kProbe : probe_ * 2;
  complete_ = page.complete;
  return {};
}

}  // namespace holdfast::api
