#include "tests/conformance/model.h"

#include <algorithm>

namespace holdfast::storage::conformance {
namespace {

std::optional<std::int64_t> ReadInteger(const std::string& text) {
  std::int64_t number = 0;
  try {
    std::size_t used = 0;
    number = std::stoll(text, &used);
  } catch (const std::exception&) {
    return std::nullopt;
  }
  if (std::to_string(number) != text) return std::nullopt;
  return number;
}

std::optional<std::int64_t> Add(std::int64_t a, std::int64_t b) {
  if (b > 0 && a > std::numeric_limits<std::int64_t>::max() - b) return std::nullopt;
  if (b < 0 && a < std::numeric_limits<std::int64_t>::min() - b) return std::nullopt;
  return a + b;
}

std::optional<Timestamp> NewExpiry(const Expiry& expiry, const Entry* entry, Timestamp now) {
  if (expiry.kind == Expiry::Kind::kAfter) return now + expiry.after;
  if (expiry.kind == Expiry::Kind::kKeep && entry != nullptr) return entry->expires_at;
  return std::nullopt;
}

}  // namespace

const Entry* Model::Find(const std::string& key, Timestamp now) const {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return nullptr;
  if (found->second.expires_at && *found->second.expires_at <= now) return nullptr;
  return &found->second;
}

bool Model::HasVersion(const std::string& key, const Entry& entry, Version version) const {
  const auto acknowledged = acknowledged_.find(key);
  return entry.version == version || (acknowledged != acknowledged_.end() && acknowledged->second == version);
}

// It came there behind its acknowledgement.
bool Model::TakeTimes(Entry& entry, const Entry& seen, Timestamp now) {
  if (seen.updated_at < entry.updated_at || seen.updated_at > now) return false;
  if (seen.created_at < entry.created_at || seen.created_at > seen.updated_at) return false;
  entry.created_at = seen.created_at;
  entry.updated_at = seen.updated_at;
  return true;
}

void Model::Reopened() {
  acknowledged_.clear();
  std::erase_if(highest_, [](const auto& each) { return each.first.second; });
}

bool Model::Settle(const std::string& key, Version version, const Entry* seen, Timestamp now) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return true;
  Entry& entry = found->second;
  if (version == entry.version && seen != nullptr && unseen_.erase(key) > 0) return TakeTimes(entry, *seen, now);
  if (entry.version < kProvisional || version >= kProvisional || version == 0) return true;
  if (version <= Highest(key)) return false;
  if (seen == nullptr) {
    unseen_.insert(key);
  } else if (!TakeTimes(entry, *seen, now)) {
    return false;
  }
  acknowledged_[key] = entry.version;
  entry.version = version;
  highest_[{key, false}] = version;
  return true;
}

std::optional<ErrorCode> Model::Check(const Precondition& precondition, const std::string& key,
                                      const Entry* entry) const {
  if (precondition.kind == Precondition::Kind::kAbsent && entry != nullptr) return ErrorCode::kAlreadyExists;
  if (precondition.kind == Precondition::Kind::kPresent && entry == nullptr) return ErrorCode::kVersionConflict;
  if (precondition.kind == Precondition::Kind::kVersion &&
      (entry == nullptr || !HasVersion(key, *entry, precondition.version))) {
    return ErrorCode::kVersionConflict;
  }
  if (precondition.kind == Precondition::Kind::kValue && (entry == nullptr || entry->value != precondition.value)) {
    return ErrorCode::kVersionConflict;
  }
  return std::nullopt;
}

std::optional<ErrorCode> Model::CheckLimits(const Operation& operation) const {
  if (operation.key.empty() || operation.key.size() > limits_.max_key_bytes) return ErrorCode::kInvalidArgument;
  if (operation.kind == OperationKind::kPut) {
    if (operation.value.size() > limits_.max_value_bytes) return ErrorCode::kResourceExhausted;
    if (operation.content_type.size() > limits_.max_content_type_bytes) return ErrorCode::kInvalidArgument;
    if (operation.metadata.size() > limits_.max_metadata_bytes) return ErrorCode::kInvalidArgument;
    if (operation.tags.size() > limits_.max_tags) return ErrorCode::kInvalidArgument;
    for (const std::string& tag : operation.tags) {
      if (tag.size() > limits_.max_tag_bytes) return ErrorCode::kInvalidArgument;
    }
  }
  const bool sets_expiry = operation.kind == OperationKind::kPut || operation.kind == OperationKind::kTouch ||
                           operation.kind == OperationKind::kIncrement;
  if (sets_expiry && operation.expiry.kind == Expiry::Kind::kAfter && operation.expiry.after.count() <= 0) {
    return ErrorCode::kInvalidArgument;
  }
  return std::nullopt;
}

Model::Answer Model::Apply(const Operation& operation, Version reported, Timestamp now) {
  Answer answer;
  answer.status = CheckLimits(operation);
  if (answer.status) return answer;
  keys_.insert(operation.key);

  const Entry* entry = Find(operation.key, now);
  answer.existed = entry != nullptr;
  answer.version = entry != nullptr ? entry->version : 0;
  answer.status = Check(operation.precondition, operation.key, entry);
  if (answer.status) return answer;

  if (operation.kind == OperationKind::kGet || operation.kind == OperationKind::kTake) {
    if (entry == nullptr) {
      answer.status = ErrorCode::kNotFound;
      return answer;
    }
    answer.entry = *entry;
    if (operation.kind == OperationKind::kTake) entries_.erase(operation.key);
    return answer;
  }
  if (operation.kind == OperationKind::kDelete) {
    if (entry != nullptr) entries_.erase(operation.key);
    return answer;
  }
  if (operation.kind == OperationKind::kTouch) {
    if (entry == nullptr) {
      answer.status = ErrorCode::kNotFound;
      return answer;
    }
    answer.expires_at = NewExpiry(operation.expiry, entry, now);
    entries_[operation.key].expires_at = answer.expires_at;
    return answer;
  }

  Entry written;
  if (operation.kind == OperationKind::kIncrement) {
    if (entry != nullptr) written = *entry;
    const std::optional<std::int64_t> before = entry != nullptr ? ReadInteger(entry->value) : 0;
    const std::optional<std::int64_t> after = before ? Add(*before, operation.by) : std::nullopt;
    if (!after) {
      answer.status = ErrorCode::kFailedPrecondition;
      return answer;
    }
    answer.number = *after;
    written.value = std::to_string(*after);
  } else {
    written.value = operation.value;
    written.content_type = operation.content_type;
    written.metadata = operation.metadata;
    written.tags = operation.tags;
  }
  written.created_at = entry != nullptr ? entry->created_at : now;
  written.updated_at = now;
  written.expires_at = NewExpiry(operation.expiry, entry, now);
  written.version = reported;
  answer.expires_at = written.expires_at;
  answer.new_version = true;
  answer.version = reported;
  // What it replaces may have come there behind its acknowledgement, and have been created then.
  const bool times_unseen = entry != nullptr && (entry->version >= kProvisional || unseen_.contains(operation.key));
  entries_[operation.key] = written;
  acknowledged_.erase(operation.key);
  if (times_unseen) {
    unseen_.insert(operation.key);
  } else {
    unseen_.erase(operation.key);
  }
  Version& highest = highest_[{operation.key, reported >= kProvisional}];
  highest = std::max(highest, reported);
  return answer;
}

bool Model::Holds(const Condition& condition, Timestamp now) const {
  return !Check(condition.precondition, condition.key, Find(condition.key, now));
}

std::vector<std::pair<std::string, Entry>> Model::Live(const KeyRange& range, Timestamp now) const {
  std::vector<std::pair<std::string, Entry>> live;
  for (const auto& [key, entry] : entries_) {
    if (key < range.start || (range.end && key >= *range.end)) continue;
    if (Find(key, now) != nullptr) live.emplace_back(key, entry);
  }
  return live;
}

void Model::DeleteRange(const KeyRange& range, Timestamp now) {
  for (const auto& [key, entry] : Live(range, now)) entries_.erase(key);
}

Version Model::Highest(const std::string& key, Version like) const {
  const auto found = highest_.find({key, like >= kProvisional});
  return found == highest_.end() ? 0 : found->second;
}

}  // namespace holdfast::storage::conformance
