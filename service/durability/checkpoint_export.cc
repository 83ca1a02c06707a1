#include "service/durability/checkpoint_export.h"

#include <utility>

#include "service/durability/content.h"

namespace holdfast::durability {
namespace {

// So much is put together before it is handed out.
constexpr std::size_t kStepBytes = 256u << 10;

// Of the store's keys in its backend.
std::string PrefixOf(const std::string& store) {
  return store + '\0';
}

}  // namespace

CheckpointExport::CheckpointExport(std::unique_ptr<storage::Snapshot> snapshot, CheckpointHeader header,
                                   const WriterOptions& options, Deadline deadline)
    : snapshot_(std::move(snapshot)),
      header_(std::move(header)),
      prefix_(PrefixOf(header_.store)),
      deadline_(deadline),
      writer_(
          [this](std::string_view bytes) {
            ready_ += bytes;
            return Status();
          },
          options) {}

Result<std::unique_ptr<CheckpointExport>> CheckpointExport::Open(storage::Backend& backend, CheckpointHeader header,
                                                                 const WriterOptions& options, Deadline deadline) {
  header.backend = backend.kind();
  HOLDFAST_ASSIGN_OR_RETURN(auto snapshot,
                            backend.OpenSnapshot(storage::KeyRange::Prefix(PrefixOf(header.store)), deadline));
  header.consistency = snapshot->consistency();
  std::unique_ptr<CheckpointExport> opened(
      new CheckpointExport(std::move(snapshot), std::move(header), options, deadline));
  HOLDFAST_RETURN_IF_ERROR(opened->writer_.Begin(opened->header_));
  return opened;
}

Result<bool> CheckpointExport::Next(std::string* bytes) {
  bool more = true;
  while (more && ready_.size() < kStepBytes) {
    HOLDFAST_ASSIGN_OR_RETURN(const auto entries, snapshot_->Next(deadline_));
    more = !entries.empty();
    for (const storage::KeyedEntry& item : entries) {
      const std::string_view key = std::string_view(item.key).substr(prefix_.size());
      if (PartOf(key) == Part::kNone) continue;
      if (content_) content_->Add(key, *item.entry);
      HOLDFAST_RETURN_IF_ERROR(writer_.Add(key, *item.entry));
    }
  }
  if (!more) {
    HOLDFAST_ASSIGN_OR_RETURN(summary_, writer_.Finish());
  }
  bytes->append(std::exchange(ready_, {}));
  return more;
}

}  // namespace holdfast::durability
