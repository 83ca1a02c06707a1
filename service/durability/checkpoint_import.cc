// Checkpoints that come from elsewhere: from a backup, or from whoever kept a snapshot.
#include "base/log/log.h"
#include "service/durability/checkpoints.h"

namespace holdfast::durability {

Result<storage::RestoreReport> Checkpoints::RestoreFrom(const ReadCheckpoint& read, Deadline deadline) {
  return RestoreFrom(read, {}, deadline, Deadline::After(options_.timeout));
}

Result<storage::RestoreReport> Checkpoints::RestoreFrom(const ByteSource& source, const Accept& accept, Deadline turn,
                                                        Deadline end) {
  // All of it with the lock: otherwise retention could take it for one that is not to be kept.
  std::lock_guard lock(mutex_);
  HOLDFAST_ASSIGN_OR_RETURN(const StoreLock held, directory_.Lock(turn));
  const std::string id = MakeCheckpointId(clock_.Now());
  HOLDFAST_RETURN_IF_ERROR(Import(id, source, end));
  const auto restore = [&]() -> Result<storage::RestoreReport> {
    HOLDFAST_ASSIGN_OR_RETURN(const storage::CheckpointInfo info, Get(id));
    if (accept) HOLDFAST_RETURN_IF_ERROR(accept(info));
    return RestoreStored(id, end);
  };
  auto restored = restore();
  RemoveImported(id);
  // The undo was counted while the imported one was there too.
  Observe();
  return restored;
}

Status Checkpoints::Import(const std::string& id, const ByteSource& source, Deadline deadline) {
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  HOLDFAST_ASSIGN_OR_RETURN(CheckpointDraft draft, directory_.Begin(id));
  std::string buffer(kPiece, '\0');
  while (!deadline.Expired()) {
    HOLDFAST_ASSIGN_OR_RETURN(const std::size_t read, source(buffer.data(), buffer.size()));
    if (read == 0) return draft.Commit();
    HOLDFAST_RETURN_IF_ERROR(draft.Write(std::string_view(buffer).substr(0, read)));
  }
  return Error(ErrorCode::kDeadlineExceeded, "the deadline passed before all of it had come; nothing was changed");
}

void Checkpoints::RemoveImported(const std::string& id) const {
  const auto mark = directory_.FindRestore();
  // It stays where a restore that was begun is to be finished with it.
  if (mark.ok() && *mark && (*mark)->id == id) return;
  const Status removed = mark.ok() ? directory_.Remove(id) : mark.error();
  if (removed.ok()) return;
  log::Warn("a checkpoint that came from elsewhere stays",
            {{"store", store_}, {"checkpoint", id}, {"error", removed.error().ToString()}});
}

}  // namespace holdfast::durability
