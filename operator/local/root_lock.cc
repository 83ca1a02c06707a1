#include "operator/local/root_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace holdfast::local {

Result<RootLock> RootLock::Take(const std::filesystem::path& root) {
  std::error_code error;
  std::filesystem::create_directories(root, error);
  if (error) return Error(ErrorCode::kUnavailable, fmt::format("cannot make {}: {}", root.string(), error.message()));
  std::filesystem::permissions(root, std::filesystem::perms::owner_all, error);
  std::filesystem::path file = root / "lock";
  int descriptor = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    return Error(ErrorCode::kUnavailable, fmt::format("cannot write in {}: {}", root.string(), std::strerror(errno)));
  }
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    std::array<char, 32> holder{};
    ssize_t got = read(descriptor, holder.data(), holder.size() - 1);
    close(descriptor);
    return Error(
        ErrorCode::kFailedPrecondition,
        fmt::format("{} is in use by another holdfast-operator local (process {}); stop it or choose another "
                    "folder",
                    root.string(), got > 0 ? std::string(holder.data(), static_cast<std::size_t>(got)) : "unknown"));
  }
  std::string own = std::to_string(getpid());
  if (ftruncate(descriptor, 0) != 0 || pwrite(descriptor, own.data(), own.size(), 0) < 0) {
    close(descriptor);
    return Error(ErrorCode::kUnavailable, fmt::format("cannot write {}: {}", file.string(), std::strerror(errno)));
  }
  return RootLock(descriptor);
}

RootLock::~RootLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace holdfast::local
