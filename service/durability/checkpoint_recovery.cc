// What becomes of a restore that was interrupted: at the start, and while other instances run.
#include <fmt/format.h>

#include <thread>

#include "base/log/log.h"
#include "service/durability/checkpoint_metrics.h"
#include "service/durability/checkpoints.h"

namespace holdfast::durability {
namespace {

// How often the start looks whether the other instance has done.
constexpr std::chrono::milliseconds kAgain{20};

}  // namespace

Status Checkpoints::Recover(const std::function<bool()>& stopping) {
  HOLDFAST_ASSIGN_OR_RETURN(const bool exists, directory_.Exists());
  const Deadline deadline = Deadline::After(options_.start_wait);
  bool told = false;
  while (exists) {
    const Result<std::optional<StoreLock>> held = directory_.TryLock();
    if (held.ok() && *held) {
      HOLDFAST_RETURN_IF_ERROR(directory_.Clean());
      HOLDFAST_RETURN_IF_ERROR(FinishRestore());
      break;
    }
    HOLDFAST_ASSIGN_OR_RETURN(const std::optional<RestoreMark> mark, directory_.FindRestore());
    // Another instance is at something that changes nothing of the store, or there is nothing that a lock is needed
    // for.
    if (!mark) break;
    if (!held.ok()) return held.error();
    metrics_->restoring.Set(1);
    if (!std::exchange(told, true)) {
      log::Warn("the store is being restored by another instance; the start waits for it",
                {{"store", store_}, {"checkpoint", mark->id}});
    }
    if (stopping()) return Error(ErrorCode::kCancelled, "the process is to stop");
    if (deadline.Expired()) {
      return Error(
          ErrorCode::kUnavailable,
          fmt::format("another instance has been restoring checkpoint {} for as long as checkpoints.start_wait "
                      "allows; start again when it has done, or end it if it hangs",
                      mark->id));
    }
    std::this_thread::sleep_for(kAgain);
  }
  recovered_ = true;
  Observe();
  return {};
}

Status Checkpoints::FinishRestore() {
  HOLDFAST_ASSIGN_OR_RETURN(const std::optional<RestoreMark> mark, directory_.FindRestore());
  metrics_->restoring.Set(mark ? 1 : 0);
  if (!mark) return {};
  log::Warn("a restore was interrupted and is finished now", {{"store", store_}, {"checkpoint", mark->id}});
  const auto apply = [this](const std::string& id) -> Result<RestoreCounts> {
    HOLDFAST_ASSIGN_OR_RETURN(ByteSource source, directory_.Open(id));
    HOLDFAST_RETURN_IF_ERROR(
        CheckRestorable(std::move(source), *backend_, store_, Deadline::Infinite(), options_.writer.threads));
    return Apply(id);
  };
  std::string restored = mark->id;
  auto applied = apply(restored);
  const bool unreadable = !applied.ok() && (applied.error().code() == ErrorCode::kCorruption ||
                                            applied.error().code() == ErrorCode::kNotFound);
  if (unreadable) {
    log::Error("the checkpoint of an interrupted restore cannot be read; what was there before is restored",
               {{"store", store_}, {"undo", mark->undo}, {"error", applied.error().ToString()}});
    restored = mark->undo;
    applied = apply(restored);
  }
  if (!applied.ok()) {
    return std::move(applied).error().WithContext(
        fmt::format("store {} is restored in part and cannot be made whole from checkpoint {} nor {}; remove the file "
                    "`restoring` beside them to serve it as it is",
                    store_, mark->id, mark->undo));
  }
  log::Info("an interrupted restore is finished",
            {{"store", store_}, {"checkpoint", restored}, {"entries", applied->restored}});
  return {};
}

void Checkpoints::FinishAbandoned() {
  // This process is at something itself otherwise.
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return;
  const auto mark = directory_.FindRestore();
  if (!mark.ok()) return;
  metrics_->restoring.Set(*mark ? 1 : 0);
  if (!*mark || !next_finish_.Expired()) return;
  const auto held = directory_.TryLock();
  if (!held.ok() || !*held) return;
  const Status finished = FinishRestore();
  if (finished.ok()) {
    finish_pauses_.Reset();
    return;
  }
  next_finish_ = Deadline::After(finish_pauses_.Next());
  log::Error("a restore that another instance left cannot be finished yet",
             {{"store", store_}, {"error", finished.error().ToString()}});
}

}  // namespace holdfast::durability
