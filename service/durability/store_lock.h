// Who may change the checkpoints of a store: one of all instances that share its folder. What is held is an advisory
// lock (flock) on the file `lock` there, by a descriptor: when the process ends, however that comes about, the kernel
// lets go of it. Two locks of one process keep each other out as well. A process that is stopped holds it still.
//
// As good as the file system is at it: on one machine always, on NFS since version 4 and on CephFS between machines
// too; not where the mount says `nolock` or `local_lock`, nor on most file systems made of object stores.
#pragma once

#include <optional>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/durability/folder.h"

namespace holdfast::durability {

// Held while the object lives. Not thread-safe.
class StoreLock {
 public:
  // At once; nullopt: another one has it. kUnavailable where the file system does not lock files.
  static Result<std::optional<StoreLock>> Try(const Folder& folder);
  // kDeadlineExceeded: another one had it until then.
  static Result<StoreLock> Wait(const Folder& folder, Deadline deadline);

 private:
  explicit StoreLock(File file) : file_(std::move(file)) {}

  File file_;
};

}  // namespace holdfast::durability
