#include "service/durability/store_lock.h"

#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>

namespace holdfast::durability {
namespace {

constexpr char kLock[] = "lock";
// flock knows no deadline, so it is asked again.
constexpr std::chrono::milliseconds kAgain{20};

}  // namespace

Result<std::optional<StoreLock>> StoreLock::Try(const Folder& folder) {
  HOLDFAST_ASSIGN_OR_RETURN(File file, folder.OpenOrCreateFile(kLock));
  while (::flock(file.descriptor(), LOCK_EX | LOCK_NB) != 0) {
    const int code = errno;
    if (code == EINTR) continue;
    if (code == EWOULDBLOCK) return std::optional<StoreLock>();
    return Error(ErrorCode::kUnavailable,
                 fmt::format("locking {}/{}: {}; put checkpoints.directory on a file system that locks files",
                             folder.path(), kLock, std::generic_category().message(code)));
  }
  return std::optional<StoreLock>(StoreLock(std::move(file)));
}

Result<StoreLock> StoreLock::Wait(const Folder& folder, Deadline deadline) {
  while (true) {
    HOLDFAST_ASSIGN_OR_RETURN(std::optional<StoreLock> lock, Try(folder));
    if (lock) return std::move(*lock);
    if (deadline.Expired()) {
      return Error(ErrorCode::kDeadlineExceeded,
                   "the deadline passed while another instance took, restored or removed a checkpoint of the store; "
                   "nothing was attempted");
    }
    std::this_thread::sleep_for(kAgain);
  }
}

}  // namespace holdfast::durability
