// Checkpoints that come from elsewhere, such as a backup.
#include "service/durability/checkpoints.h"

namespace holdfast::durability {

Status Checkpoints::Import(const std::string& id, const ByteSource& source, Deadline deadline) {
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  std::lock_guard lock(mutex_);
  HOLDFAST_ASSIGN_OR_RETURN(const StoreLock held, directory_.Lock(deadline));
  HOLDFAST_ASSIGN_OR_RETURN(CheckpointDraft draft, directory_.Begin(id));
  std::string buffer(kPiece, '\0');
  while (true) {
    HOLDFAST_ASSIGN_OR_RETURN(const std::size_t read, source(buffer.data(), buffer.size()));
    if (read == 0) return draft.Commit();
    HOLDFAST_RETURN_IF_ERROR(draft.Write(std::string_view(buffer).substr(0, read)));
  }
}

}  // namespace holdfast::durability
