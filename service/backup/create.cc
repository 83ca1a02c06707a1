#include "service/backup/create.h"

#include <fmt/format.h>

#include "base/log/log.h"
#include "service/backup/hex.h"
#include "service/backup/object_writer.h"
#include "service/durability/checkpoint_export.h"

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

Status Write(const Source& source, const Catalogue& catalogue, const std::string& id, const std::string& series,
             Timestamp now, const CreateOptions& options, Work& work) {
  Manifest manifest;
  std::optional<ObjectCipher> cipher;
  if (catalogue.key()) {
    manifest.encryption = Encryption{RandomBytes(kSaltBytes), ""};
    cipher.emplace(*catalogue.key(), manifest.encryption->salt, id);
    manifest.encryption->key_check = cipher->key_check();
  }
  durability::CheckpointHeader header;
  header.id = id;
  header.store = source.store;
  header.created_at = now;
  HOLDFAST_ASSIGN_OR_RETURN(const auto taken, durability::CheckpointExport::Open(*source.backend, std::move(header),
                                                                                 options.writer, work.deadline()));
  taken->HashContent();
  ObjectWriter objects(catalogue.target(), id, series, options.object_bytes, cipher ? &*cipher : nullptr, work);
  std::string bytes;
  for (bool more = true; more;) {
    bytes.clear();
    HOLDFAST_ASSIGN_OR_RETURN(more, taken->Next(&bytes));
    HOLDFAST_RETURN_IF_ERROR(objects.Write(bytes));
    HOLDFAST_RETURN_IF_ERROR(work.Rest());
  }
  const durability::CheckpointSummary& summary = taken->summary();
  HOLDFAST_ASSIGN_OR_RETURN(manifest.objects, objects.Finish());
  manifest.id = id;
  manifest.store = source.store;
  manifest.backend = taken->header().backend;
  manifest.created_at = now;
  manifest.consistency = taken->header().consistency;
  manifest.entries = summary.entries;
  manifest.entry_bytes = summary.entry_bytes;
  manifest.checkpoint_bytes = summary.file_bytes;
  manifest.checkpoint = summary.digest;
  manifest.content = taken->content();
  HOLDFAST_RETURN_IF_ERROR(work.GoOn());
  return catalogue.target().PutNew({id, std::string(kManifestObject)},
                                   EncodeManifest(manifest, cipher ? &*cipher : nullptr), work.deadline());
}

// Whose manifest it is must be certain: objects that a manifest names are never removed before it, and what another one
// has made of the same id never at all.
Status RemoveWritten(const Catalogue& catalogue, const std::string& id, const std::string& series, Deadline deadline) {
  const auto manifest = catalogue.target().Get({id, std::string(kManifestObject)}, kMaxManifestBytes, deadline);
  if (manifest.ok() && manifest->find(series + '-') != std::string::npos) return catalogue.Remove(id, deadline);
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
                    const CreateOptions& options, Work& work, bool claimed) {
  work.Enter("write", 0);
  if (!claimed) HOLDFAST_RETURN_IF_ERROR(IsFree(catalogue, id, work.deadline()));
  const std::string series = ToHex(RandomBytes(kSeriesBytes));
  Status written = Write(source, catalogue, id, series, now, options, work);
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
