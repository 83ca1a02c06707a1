// The checkpoints of one store, as files:
//
//   <directory>/<store>/<id>.checkpoint           docs/formats/checkpoint.md
//                       <id>.checkpoint.partial   being written; removed by the next that may write
//                       <id>.validated            its SHA-256, and when all of it was last read
//                       restoring                 a restore that has not been finished, and what undoes it
//                       lock                      who of several instances may change anything here (store_lock.h)
//
// A file gets its name once it is complete and synced, so nothing half-written is ever listed. Folders and files are
// opened beneath `directory` only (folder.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "service/durability/checkpoint_reader.h"
#include "service/durability/checkpoint_writer.h"
#include "service/durability/folder.h"
#include "service/durability/store_lock.h"

namespace holdfast::durability {

inline constexpr std::size_t kMaxIdBytes = 63;
// 1..63 of a-z, 0-9 and '-'.
bool IsCheckpointId(std::string_view id);
// kInvalidArgument.
Status CheckCheckpointId(std::string_view id);
// One that sorts by time: "20261122t153000z-9f86d0".
std::string MakeCheckpointId(Timestamp now);

struct StoredCheckpoint {
  std::string id;
  std::optional<Error> damage;  // of header or footer; then these two say nothing
  CheckpointHeader header;
  CheckpointSummary summary;
  std::optional<Timestamp> validated_at;
};

// A restore that was begun: of which checkpoint, and the one that undoes it.
struct RestoreMark {
  std::string id;
  std::string undo;
};

// A checkpoint that is being written; removed when it goes without Commit. Not thread-safe.
class CheckpointDraft {
 public:
  CheckpointDraft(Folder folder, std::string id, File file)
      : folder_(std::move(folder)), id_(std::move(id)), file_(std::move(file)) {}
  CheckpointDraft(CheckpointDraft&& other) noexcept;
  CheckpointDraft& operator=(CheckpointDraft&&) = delete;
  ~CheckpointDraft();

  Status Write(std::string_view bytes) { return file_.Write(bytes); }
  // From now on it is listed, and survives a crash.
  Status Commit();

 private:
  Folder folder_;
  std::string id_;  // empty: nothing to remove
  File file_;
};

// Thread-safe, apart from two drafts of one id.
class CheckpointDirectory {
 public:
  // `store`: a name as stores have it. Nothing is created before the first checkpoint.
  CheckpointDirectory(std::string directory, std::string store)
      : directory_(std::move(directory)), store_(std::move(store)) {}

  // False: nothing was ever written here.
  Result<bool> Exists() const;
  // Whoever calls what is not const in spirit (Clean, Begin, Remove, the marks) holds it. Both make the folder.
  Result<std::optional<StoreLock>> TryLock() const;
  Result<StoreLock> Lock(Deadline deadline) const;

  // Removes what was left half-written.
  Status Clean() const;
  // By the times at which they were taken, the newest last; damaged ones first.
  Result<std::vector<StoredCheckpoint>> List() const;
  // kNotFound, also for what is no id.
  Result<StoredCheckpoint> Get(const std::string& id) const;
  // kNotFound; damaged ones are there.
  Status Find(const std::string& id) const;
  // From its beginning; may be removed meanwhile.
  Result<ByteSource> Open(const std::string& id) const;
  // kAlreadyExists, kInvalidArgument.
  Result<CheckpointDraft> Begin(const std::string& id) const;
  Status Remove(const std::string& id) const;
  Status MarkValidated(const std::string& id, const Digest& digest, Timestamp now) const;

  Result<std::optional<RestoreMark>> FindRestore() const;
  Status MarkRestore(const RestoreMark& mark) const;
  Status RemoveRestoreMark() const;

 private:
  Result<std::optional<Folder>> OpenFolder() const;
  Result<Folder> MakeFolder() const;
  Result<Folder> FolderOf(const std::string& id) const;

  const std::string directory_;
  const std::string store_;
};

}  // namespace holdfast::durability
