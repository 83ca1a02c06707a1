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

Status Write(const Source& source, const Catalogue& catalogue, const std::string& id, Timestamp now,
             const CreateOptions& options, Work& work) {
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
  ObjectWriter objects(catalogue.target(), id, ToHex(RandomBytes(kSeriesBytes)), options.object_bytes,
                       cipher ? &*cipher : nullptr, work);
  std::string bytes;
  for (bool more = true; more;) {
    bytes.clear();
    HOLDFAST_ASSIGN_OR_RETURN(more, taken->Next(&bytes));
    HOLDFAST_RETURN_IF_ERROR(objects.Write(bytes));
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
  HOLDFAST_RETURN_IF_ERROR(work.GoOn());
  return catalogue.target().Put({id, std::string(kManifestObject)},
                                EncodeManifest(manifest, cipher ? &*cipher : nullptr), work.deadline());
}

}  // namespace

Status CreateBackup(const Source& source, const Catalogue& catalogue, const std::string& id, Timestamp now,
                    const CreateOptions& options, Work& work) {
  work.Enter("write", 0);
  HOLDFAST_RETURN_IF_ERROR(IsFree(catalogue, id, work.deadline()));
  Status written = Write(source, catalogue, id, now, options, work);
  if (written.ok()) return {};
  const Status removed = catalogue.Remove(id, Deadline::After(kCleaning));
  if (!removed.ok() && removed.error().code() != ErrorCode::kNotFound) {
    log::Warn("what was written of a backup that failed is left behind",
              {{"store", source.store}, {"backup", id}, {"error", removed.error().ToString()}});
  }
  return written;
}

}  // namespace holdfast::backup
