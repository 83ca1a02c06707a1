#include "service/backends/rocksdb/rocksdb_error.h"

#include <fmt/format.h>

namespace holdfast::storage {

namespace {

Error Failed(const rocksdb::Status& status, std::string_view doing) {
  if (status.IsCorruption()) {
    return {
        ErrorCode::kCorruption,
        fmt::format("the stored data is damaged: restore it from a backup and check the disk: {}", status.ToString())};
  }
  if (status.IsShutdownInProgress()) return {ErrorCode::kUnavailable, "the rocksdb backend is closing"};
  if (status.IsIOError()) {
    return {ErrorCode::kUnavailable, fmt::format("{} failed, check the disk: {}", doing, status.ToString())};
  }
  return {ErrorCode::kInternal, fmt::format("{} failed: {}", doing, status.ToString())};
}

}  // namespace

Error ReadError(const rocksdb::Status& status) {
  return Failed(status, "reading");
}

Error MaintenanceError(const rocksdb::Status& status, std::string_view doing) {
  if (status.IsNoSpace()) {
    return {ErrorCode::kResourceExhausted,
            fmt::format("{} failed, no space left on the disk: free some: {}", doing, status.ToString())};
  }
  return Failed(status, doing);
}

bool IsOpenElsewhere(const rocksdb::Status& status) {
  return status.IsIOError() && status.ToString().find("lock ") != std::string::npos;
}

Error OpenError(const rocksdb::Status& status, std::string_view path) {
  const std::string text = status.ToString();
  if (IsOpenElsewhere(status)) {
    return {ErrorCode::kUnavailable,
            fmt::format("{} is open in another process: stop it or give this one a path of its own: {}", path, text)};
  }
  if (status.IsCorruption() || status.IsPathNotFound()) {
    return {
        ErrorCode::kCorruption,
        fmt::format("{} is damaged, nothing was changed in it: restore a backup; when the machine lost power during "
                    "a write, wal_recovery=point_in_time opens it without what stands behind the damage: {}",
                    path, text)};
  }
  if (status.IsNoSpace()) {
    return {ErrorCode::kResourceExhausted, fmt::format("no space left on the disk of {}: free some: {}", path, text)};
  }
  if (status.IsIOError()) {
    return {ErrorCode::kUnavailable,
            fmt::format("cannot open {}, check that it is a writable directory: {}", path, text)};
  }
  return {ErrorCode::kInternal, fmt::format("cannot open {}: {}", path, text)};
}

}  // namespace holdfast::storage
