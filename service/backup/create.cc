#include "service/backup/create.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log/log.h"
#include "service/backup/hex.h"
#include "service/backup/object_reader.h"
#include "service/backup/object_writer.h"
#include "service/backup/removal.h"
#include "service/durability/indexed_export.h"

namespace holdfast::backup {
namespace {

// Sets its objects apart from those of whoever else makes a backup of the same id at the same moment.
constexpr std::size_t kSeriesBytes = 4;
constexpr std::chrono::seconds kCleaning{30};

Status IsFree(const Catalogue& catalogue, const std::string& id, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const auto there, catalogue.target().List(id + '/', deadline));
  if (there.empty()) return {};
  return Error(ErrorCode::kAlreadyExists,
               fmt::format("there is a backup {} already, or what is left of one: name another id, or delete it", id));
}

// Of the index of any backup, and of all objects of an increment: a chain is read with one of each link in memory.
constexpr std::size_t kSmallObjectBytes = std::size_t{8} << 20;

// The manifest of a backup that is to be made, as far as it is known before.
Manifest Begin(const Source& source, const std::string& id, Timestamp now, const Chain& parent) {
  Manifest manifest;
  manifest.id = id;
  manifest.store = source.store;
  manifest.created_at = now;
  if (!parent.empty()) {
    manifest.link = parent.back()->manifest.link + 1;
    manifest.parent = Parent{parent.back()->manifest.id, parent.back()->digest};
  }
  return manifest;
}

// The objects; what they come to stands in the manifest then.
Status WriteObjects(const Source& source, const Catalogue& catalogue, const std::string& series,
                    const CreateOptions& options, const ObjectCipher* cipher, const Chain& parent, Work& work,
                    Manifest* manifest) {
  durability::CheckpointHeader header;
  header.id = manifest->id;
  header.store = source.store;
  header.created_at = manifest->created_at;
  durability::IndexedExportOptions how;
  how.writer = options.writer;
  how.deadline = work.deadline();
  how.go_on = [&work] { return work.Rest(); };
  std::size_t object_bytes = options.object_bytes;
  if (manifest->parent) {
    header.parent = manifest->parent->digest;
    how.parent = IndexOf(parent.back(), catalogue.target(), work);
    how.link = static_cast<std::uint8_t>(manifest->link);
    object_bytes = std::min(object_bytes, kSmallObjectBytes);
  }
  ObjectWriter objects(catalogue.target(), manifest->id, series, object_bytes, cipher, work);
  ObjectWriter index(catalogue.target(), manifest->id, series + "-index",
                     std::min(options.object_bytes, kSmallObjectBytes), cipher, work, kIndexNumbers);
  HOLDFAST_ASSIGN_OR_RETURN(
      const durability::IndexedSummary summary,
      durability::ExportIndexed(*source.backend, std::move(header), how,
                                {[&objects](std::string_view bytes) { return objects.Write(bytes); },
                                 [&index](std::string_view bytes) { return index.Write(bytes); }}));
  HOLDFAST_ASSIGN_OR_RETURN(manifest->objects, objects.Finish());
  HOLDFAST_ASSIGN_OR_RETURN(manifest->index, index.Finish());
  manifest->backend = summary.header.backend;
  manifest->consistency = summary.header.consistency;
  manifest->entries = summary.entries;
  manifest->entry_bytes = summary.entry_bytes;
  manifest->checkpoint_bytes = summary.data.file_bytes;
  manifest->checkpoint = summary.data.digest;
  manifest->content = summary.content;
  return {};
}

// The maker's half of removal.h. All of the chain is looked at: a link may itself be given up because of the one
// before. The marks first: who removes a manifest takes the mark away behind it.
Status CheckParent(const Catalogue& catalogue, const Manifest& manifest, const Chain& parent, Deadline deadline) {
  const auto removed = [](const std::string& id) {
    return Error(ErrorCode::kFailedPrecondition,
                 fmt::format("backup {} was removed while an increment on it was made: make another backup", id));
  };
  for (const auto& link : parent) {
    HOLDFAST_ASSIGN_OR_RETURN(const bool doomed, catalogue.IsDoomed(link->manifest.id, deadline));
    if (doomed) return removed(link->manifest.id);
  }
  if (parent.empty()) return {};
  const auto chain = OpenChain(catalogue, manifest.id, deadline);
  if (chain.ok() || chain.error().code() != ErrorCode::kCorruption) return chain.ok() ? Status() : chain.error();
  return removed(manifest.parent->id);
}

Status Write(const Source& source, const Catalogue& catalogue, const std::string& id, const std::string& series,
             Timestamp now, const CreateOptions& options, Work& work, const Chain& parent, const ChangeMark* changes) {
  Manifest manifest = Begin(source, id, now, parent);
  std::optional<ObjectCipher> cipher;
  if (catalogue.key()) {
    manifest.encryption = Encryption{RandomBytes(kSaltBytes), ""};
    cipher.emplace(*catalogue.key(), manifest.encryption->salt, id);
    manifest.encryption->key_check = cipher->key_check();
  }
  HOLDFAST_RETURN_IF_ERROR(
      WriteObjects(source, catalogue, series, options, cipher ? &*cipher : nullptr, parent, work, &manifest));
  if (changes != nullptr) {
    manifest.format = kFormatWithChanges;
    manifest.changes = ChangeStart{changes->first, changes->clock.Now()};
  }
  HOLDFAST_RETURN_IF_ERROR(work.GoOn());
  HOLDFAST_RETURN_IF_ERROR(catalogue.target().PutNew(
      {id, std::string(kManifestObject)}, EncodeManifest(manifest, cipher ? &*cipher : nullptr), work.deadline()));
  return CheckParent(catalogue, manifest, parent, work.deadline());
}

// Whose manifest it is must be certain: objects that a manifest names are never removed before it, and what another one
// has made of the same id never at all.
Status RemoveWritten(const Catalogue& catalogue, const std::string& id, const std::string& series, Deadline deadline) {
  const auto manifest = catalogue.target().Get({id, std::string(kManifestObject)}, kMaxManifestBytes, deadline);
  // Another instance may have built on it already.
  if (manifest.ok() && manifest->find(series + '-') != std::string::npos) {
    return RemoveUnused(catalogue, {id}, {}, deadline).front();
  }
  if (!manifest.ok() && manifest.error().code() != ErrorCode::kNotFound) return manifest.error();
  HOLDFAST_ASSIGN_OR_RETURN(const auto objects, catalogue.target().List(id + '/', deadline));
  for (const StoredObject& object : objects) {
    const bool own = object.name.object.starts_with(series + '-') || object.name.object == kClaimObject;
    if (own) HOLDFAST_RETURN_IF_ERROR(catalogue.target().Delete(object.name, deadline));
  }
  return {};
}

}  // namespace

Status CreateBackup(const Source& source, const Catalogue& catalogue, const std::string& id, Timestamp now,
                    const CreateOptions& options, Work& work, bool claimed, const Chain& parent,
                    const ChangeMark* changes) {
  work.Enter("write", 0);
  if (!claimed) HOLDFAST_RETURN_IF_ERROR(IsFree(catalogue, id, work.deadline()));
  const std::string series = ToHex(RandomBytes(kSeriesBytes));
  Status written = Write(source, catalogue, id, series, now, options, work, parent, changes);
  if (written.ok()) return {};
  // It may be the manifest that is there, or will be in a moment: then the backup is whole, and without its objects it
  // would be a damaged one. If it is not, the next prune takes what has no manifest.
  if (written.error().code() == ErrorCode::kOutcomeUnknown) {
    return std::move(written).WithContext(fmt::format("backup {} may or may not be there, look at the list", id));
  }
  const Status removed = RemoveWritten(catalogue, id, series, Deadline::After(kCleaning));
  if (!removed.ok()) {
    log::Warn("what was written of a backup that failed is left behind",
              {{"store", source.store}, {"backup", id}, {"error", removed.error().ToString()}});
  }
  return written;
}

}  // namespace holdfast::backup
