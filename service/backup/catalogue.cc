#include "service/backup/catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <sstream>

namespace holdfast::backup {
namespace {

constexpr std::size_t kMaxMarkBytes = 256;
constexpr std::string_view kDrillSucceeded = "ok";

Error NoSuch(std::string_view id) {
  return {ErrorCode::kNotFound, IsName(id) ? fmt::format("there is no backup {}", id)
                                           : "there is no such backup: an id is 1 to 63 of a-z, 0-9 and -"};
}

Result<DecodedManifest> ReadManifest(Target& target, const std::string& id, Deadline deadline) {
  auto bytes = target.Get({id, std::string(kManifestObject)}, kMaxManifestBytes, deadline);
  if (!bytes.ok()) {
    if (bytes.error().code() == ErrorCode::kResourceExhausted) return Damaged("its manifest is too long");
    return bytes.error().code() == ErrorCode::kNotFound ? NoSuch(id) : std::move(bytes).error();
  }
  HOLDFAST_ASSIGN_OR_RETURN(DecodedManifest decoded, DecodeManifest(*bytes));
  if (decoded.manifest.id != id) return Damaged("its manifest is that of another one");
  return decoded;
}

// What stands in a mark behind the SHA-256 of the manifest; nullopt: there is none, or it is of another manifest.
Result<std::optional<std::string>> ReadMark(Target& target, const std::string& id, std::string_view object,
                                            const durability::Digest& digest, Deadline deadline) {
  auto mark = target.Get({id, std::string(object)}, kMaxMarkBytes, deadline);
  if (!mark.ok()) {
    const bool none =
        mark.error().code() == ErrorCode::kNotFound || mark.error().code() == ErrorCode::kResourceExhausted;
    if (none) return std::optional<std::string>();
    return std::move(mark).error();
  }
  const std::string shown = durability::ShowDigest(digest) + ' ';
  if (!mark->starts_with(shown)) return std::optional<std::string>();
  return std::optional(mark->substr(shown.size()));
}

std::string MarkOf(const OpenedBackup& backup, std::string_view rest) {
  return fmt::format("{} {}\n", durability::ShowDigest(backup.digest), rest);
}

// When it was last read whole, if that was what it is now.
std::optional<Timestamp> TimeIn(const std::optional<std::string>& mark) {
  std::int64_t micros = 0;
  if (!mark || std::from_chars(mark->data(), mark->data() + mark->size(), micros).ec != std::errc()) return {};
  return Timestamp{std::chrono::microseconds{micros}};
}

std::optional<DrillRecord> DrillIn(const std::optional<std::string>& mark) {
  if (!mark) return {};
  std::istringstream words(*mark);
  std::int64_t at = 0;
  std::int64_t took = 0;
  std::string name;
  if (!(words >> at >> took >> name)) return {};
  if (name == kDrillSucceeded) name.clear();
  return DrillRecord{Timestamp{std::chrono::microseconds{at}}, std::chrono::microseconds{took}, std::move(name)};
}

// A damaged one is a result; an error is the target's.
Result<StoredBackup> Look(Target& target, const std::string& id, Deadline deadline) {
  StoredBackup stored;
  stored.id = id;
  auto decoded = ReadManifest(target, id, deadline);
  if (!decoded.ok()) {
    const ErrorCode code = decoded.error().code();
    if (code != ErrorCode::kCorruption && code != ErrorCode::kFailedPrecondition) return std::move(decoded).error();
    stored.damage = std::move(decoded).error();
    return stored;
  }
  HOLDFAST_ASSIGN_OR_RETURN(const auto verified, ReadMark(target, id, kVerifiedObject, decoded->digest, deadline));
  stored.verified_at = TimeIn(verified);
  HOLDFAST_ASSIGN_OR_RETURN(const auto drill, ReadMark(target, id, kDrillObject, decoded->digest, deadline));
  stored.drill = DrillIn(drill);
  stored.manifest = std::move(decoded->manifest);
  return stored;
}

struct Group {
  bool manifest = false;
  Timestamp modified_at{};
  std::vector<StoredObject> doomed;
};

Result<std::map<std::string, Group>> GroupsOf(Target& target, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<StoredObject> objects, target.List("", deadline));
  std::map<std::string, Group> groups;
  for (const StoredObject& object : objects) {
    Group& group = groups[object.name.backup];
    group.manifest = group.manifest || object.name.object == kManifestObject;
    group.modified_at = std::max(group.modified_at, object.modified_at);
    if (object.name.object.starts_with(kDoomedPrefix)) group.doomed.push_back(object);
  }
  return groups;
}

}  // namespace

Result<std::vector<StoredBackup>> Catalogue::List(Deadline deadline) const {
  HOLDFAST_ASSIGN_OR_RETURN(const auto groups, GroupsOf(*target_, deadline));
  std::vector<StoredBackup> all;
  for (const auto& [id, group] : groups) {
    if (!group.manifest) continue;
    Result<StoredBackup> stored = Look(*target_, id, deadline);
    if (stored.ok()) {
      stored->doomed = group.doomed;
      all.push_back(std::move(stored).value());
    } else if (stored.error().code() != ErrorCode::kNotFound) {
      return std::move(stored).error();
    }
  }
  std::sort(all.begin(), all.end(), [](const StoredBackup& a, const StoredBackup& b) {
    return std::tie(a.manifest.created_at, a.id) < std::tie(b.manifest.created_at, b.id);
  });
  return all;
}

Result<std::vector<UnfinishedBackup>> Catalogue::ListUnfinished(Deadline deadline) const {
  HOLDFAST_ASSIGN_OR_RETURN(const auto groups, GroupsOf(*target_, deadline));
  std::vector<UnfinishedBackup> unfinished;
  for (const auto& [id, group] : groups) {
    // The manifest itself may be what was left half-written.
    const auto stored = group.manifest ? Look(*target_, id, deadline) : Result<StoredBackup>(NoSuch(id));
    const bool finished = stored.ok() || stored.error().code() != ErrorCode::kNotFound;
    if (!finished) unfinished.push_back({id, group.modified_at});
  }
  return unfinished;
}

Result<StoredBackup> Catalogue::Get(const std::string& id, Deadline deadline) const {
  if (!IsName(id)) return NoSuch(id);
  return Look(*target_, id, deadline);
}

Result<OpenedBackup> Catalogue::Open(const std::string& id, Deadline deadline) const {
  if (!IsName(id)) return NoSuch(id);
  HOLDFAST_ASSIGN_OR_RETURN(DecodedManifest decoded, ReadManifest(*target_, id, deadline));
  OpenedBackup opened;
  opened.digest = decoded.digest;
  const std::optional<Encryption>& encryption = decoded.manifest.encryption;
  if (!encryption && key_) {
    return Error(ErrorCode::kFailedPrecondition,
                 fmt::format("backup {} is not encrypted, and {} says that all are: somebody may have put it there; to "
                             "use it all the same, start the service without {}",
                             id, key_setting_, key_setting_));
  }
  if (encryption && !key_) {
    return Error(ErrorCode::kFailedPrecondition,
                 fmt::format("backup {} is encrypted: name the file with its key in {}", id, key_setting_));
  }
  if (encryption) {
    opened.cipher.emplace(*key_, encryption->salt, id);
    if (opened.cipher->key_check() != encryption->key_check) {
      return Error(ErrorCode::kFailedPrecondition,
                   fmt::format("the key in {} is not the one that backup {} was encrypted with", key_setting_, id));
    }
    if (!opened.cipher->IsSigned(decoded.signed_text, decoded.tag)) return Damaged("tag of its manifest");
  }
  opened.manifest = std::move(decoded.manifest);
  return opened;
}

Status Catalogue::MarkVerified(const OpenedBackup& backup, Timestamp now, Deadline deadline) const {
  return target_->Put({backup.manifest.id, std::string(kVerifiedObject)},
                      MarkOf(backup, fmt::to_string(now.time_since_epoch().count())), deadline);
}

Status Catalogue::UnmarkVerified(const std::string& id, Deadline deadline) const {
  return target_->Delete({id, std::string(kVerifiedObject)}, deadline);
}

Status Catalogue::RecordDrill(const OpenedBackup& backup, const DrillRecord& record, Deadline deadline) const {
  const std::string rest = fmt::format("{} {} {}", record.at.time_since_epoch().count(), record.took.count(),
                                       record.succeeded() ? kDrillSucceeded : record.failure);
  return target_->Put({backup.manifest.id, std::string(kDrillObject)}, MarkOf(backup, rest), deadline);
}

Result<bool> Catalogue::IsDoomed(const std::string& id, Deadline deadline) const {
  HOLDFAST_ASSIGN_OR_RETURN(const auto marks, target_->List(fmt::format("{}/{}", id, kDoomedPrefix), deadline));
  return !marks.empty();
}

Status Catalogue::Remove(const std::string& id, Deadline deadline) const {
  if (!IsName(id)) return NoSuch(id);
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<StoredObject> objects, target_->List(id + '/', deadline));
  if (objects.empty()) return NoSuch(id);
  HOLDFAST_RETURN_IF_ERROR(target_->Delete({id, std::string(kManifestObject)}, deadline));
  for (const StoredObject& object : objects) HOLDFAST_RETURN_IF_ERROR(target_->Delete(object.name, deadline));
  return {};
}

}  // namespace holdfast::backup
