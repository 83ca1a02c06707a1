#include "service/backup/change_log.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::backup {
namespace {

constexpr std::string_view kFolder = "log";

ObjectName NameOf(std::uint64_t number) {
  return {std::string(kFolder), SegmentName(number)};
}

}  // namespace

ChangeLog::ChangeLog(std::shared_ptr<Target> target, const std::string& store, const std::optional<BackupKey>& key,
                     const std::string& key_setting)
    : target_(std::move(target)), key_{key, fmt::format("{}{}/{}", store, kChangesSuffix, kFolder), key_setting} {}

Result<std::vector<ChangeLog::Listed>> ChangeLog::List(Deadline deadline) const {
  HOLDFAST_ASSIGN_OR_RETURN(const auto objects, target_->List(fmt::format("{}/", kFolder), deadline));
  std::vector<Listed> listed;
  for (const StoredObject& object : objects) {
    const auto number = SegmentNumber(object.name.object);
    // An upload that was interrupted stands beside what came of the next one.
    if (number && (listed.empty() || listed.back().number != *number)) listed.push_back({*number, object.modified_at});
  }
  return listed;
}

Result<Segment> ChangeLog::Read(std::uint64_t number, Deadline deadline) const {
  auto bytes = target_->Get(NameOf(number), kMaxSegmentBytes, deadline);
  if (!bytes.ok()) {
    if (bytes.error().code() == ErrorCode::kResourceExhausted) return DamagedLog("a segment is too long");
    return std::move(bytes).error();
  }
  return DecodeSegment(*bytes, number, key_);
}

Result<std::optional<ChangeLog::Newest>> ChangeLog::ReadNewest(Deadline deadline) const {
  HOLDFAST_ASSIGN_OR_RETURN(const auto listed, List(deadline));
  for (auto each = listed.rbegin(); each != listed.rend(); ++each) {
    const std::uint64_t number = each->number;
    auto bytes = target_->Get(NameOf(number), kMaxSegmentBytes, deadline);
    if (!bytes.ok() && bytes.error().code() == ErrorCode::kNotFound) continue;
    if (!bytes.ok()) return std::move(bytes).error();
    auto segment = DecodeSegment(*bytes, number, key_);
    Newest newest;
    if (segment.ok()) {
      newest = {std::move(segment->header), segment->digest, ""};
    } else if (segment.error().code() == ErrorCode::kCorruption) {
      newest.header.number = number;
      newest.digest = DigestOf(*bytes);
      newest.damage = segment.error().message();
    } else {
      return std::move(segment).error();
    }
    return std::optional(std::move(newest));
  }
  return std::optional<Newest>();
}

ChangeLog::Encoded ChangeLog::Encode(SegmentHeader header, const std::vector<storage::KeyChange>& changes,
                                     int level) const {
  const std::string salt = key_.key ? RandomBytes(kSaltBytes) : std::string();
  Encoded encoded;
  encoded.bytes = EncodeSegment(header, changes, key_, level, salt);
  encoded.header = std::move(header);
  std::copy(encoded.bytes.end() - static_cast<std::ptrdiff_t>(encoded.digest.size()), encoded.bytes.end(),
            encoded.digest.begin());
  return encoded;
}

Status ChangeLog::Append(const Encoded& segment, Deadline deadline) const {
  return target_->PutNew(NameOf(segment.header.number), segment.bytes, deadline);
}

Result<std::size_t> ChangeLog::RemoveBelow(std::uint64_t number, Timestamp before, Deadline deadline) const {
  HOLDFAST_ASSIGN_OR_RETURN(const auto listed, List(deadline));
  std::size_t removed = 0;
  // The front first, and none behind one that stays: what is left is a row without holes, also when this ends early.
  for (const Listed& each : listed) {
    if (each.number >= number || each.modified_at >= before) break;
    HOLDFAST_RETURN_IF_ERROR(target_->Delete(NameOf(each.number), deadline));
    ++removed;
  }
  return removed;
}

}  // namespace holdfast::backup
