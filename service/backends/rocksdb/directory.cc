#include "service/backends/rocksdb/directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <vector>

namespace holdfast::storage {
namespace fs = std::filesystem;
namespace {

Error CannotCreate(const fs::path& path, std::string_view reason) {
  return {ErrorCode::kUnavailable,
          fmt::format("cannot create the directory {}: {}: check the path and its permissions", path.string(), reason)};
}

Status SyncDirectory(const fs::path& path) {
  const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return CannotCreate(path, std::strerror(errno));
  const int failed = ::fsync(directory);
  const int reason = errno;
  ::close(directory);
  if (failed != 0) return CannotCreate(path, std::strerror(reason));
  return {};
}

}  // namespace

Status CreateDirectories(const std::string& path) {
  std::error_code error;
  fs::path missing = fs::absolute(path, error).lexically_normal();
  if (error) return CannotCreate(path, error.message());
  if (!missing.has_filename()) missing = missing.parent_path();
  std::vector<fs::path> to_create;
  while (!fs::exists(missing, error)) {
    if (error) return CannotCreate(missing, error.message());
    to_create.push_back(missing);
    missing = missing.parent_path();
  }
  for (auto directory = to_create.rbegin(); directory != to_create.rend(); ++directory) {
    fs::create_directory(*directory, error);
    if (error) return CannotCreate(*directory, error.message());
    HOLDFAST_RETURN_IF_ERROR(SyncDirectory(directory->parent_path()));
  }
  if (!fs::is_directory(path, error)) return CannotCreate(path, "there is something else of that name");
  return {};
}

Result<bool> HasDatabase(const std::string& path) {
  std::error_code error;
  if (fs::exists(fs::path(path) / "CURRENT", error)) return true;
  for (fs::directory_iterator file(path, error), end; !error && file != end; file.increment(error)) {
    const std::string extension = file->path().extension().string();
    // A very first start that was cut short leaves at most a manifest.
    const bool data = extension == ".sst" || extension == ".log";
    if (!data) continue;
    return Error(ErrorCode::kCorruption,
                 fmt::format("{} holds data ({}) but no CURRENT file, nothing was changed in it: restore a backup, or "
                             "remove the directory to start empty",
                             path, file->path().filename().string()));
  }
  if (error) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("cannot read the directory {}: {}: check its permissions", path, error.message()));
  }
  return false;
}

}  // namespace holdfast::storage
