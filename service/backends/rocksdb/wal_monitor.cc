#include "service/backends/rocksdb/wal_monitor.h"

#include <string_view>

namespace holdfast::storage {
namespace {

using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class MonitoredLog : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  MonitoredLog(std::unique_ptr<FSWritableFile> target, std::shared_ptr<WalCounts> counts)
      : FSWritableFileOwnerWrapper(std::move(target)), counts_(std::move(counts)) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, IODebugContext* debug) override {
    counts_->appends.fetch_add(1, std::memory_order_relaxed);
    return CountAppend(FSWritableFileOwnerWrapper::Append(data, options, debug));
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& verification, IODebugContext* debug) override {
    counts_->appends.fetch_add(1, std::memory_order_relaxed);
    return CountAppend(FSWritableFileOwnerWrapper::Append(data, options, verification, debug));
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* debug) override {
    return CountAppend(FSWritableFileOwnerWrapper::Flush(options, debug));
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return CountSync(FSWritableFileOwnerWrapper::Sync(options, debug));
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return CountSync(FSWritableFileOwnerWrapper::Fsync(options, debug));
  }

 private:
  IOStatus CountAppend(IOStatus status) {
    if (!status.ok()) counts_->failed_appends.fetch_add(1, std::memory_order_relaxed);
    return status;
  }
  IOStatus CountSync(IOStatus status) {
    if (!status.ok()) counts_->failed_syncs.fetch_add(1, std::memory_order_relaxed);
    return status;
  }

  const std::shared_ptr<WalCounts> counts_;
};

class MonitoringFileSystem : public rocksdb::FileSystemWrapper {
 public:
  MonitoringFileSystem(const std::shared_ptr<rocksdb::FileSystem>& target, std::shared_ptr<WalCounts> counts)
      : FileSystemWrapper(target), counts_(std::move(counts)) {}

  const char* Name() const override { return "HoldfastWalMonitor"; }

  // Logs are never reused here (recycle_log_file_num is 0), so this is the one way they come into being.
  IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                           std::unique_ptr<FSWritableFile>* file, IODebugContext* debug) override {
    IOStatus status = target()->NewWritableFile(name, options, file, debug);
    if (status.ok() && std::string_view(name).ends_with(".log")) {
      *file = std::make_unique<MonitoredLog>(std::move(*file), counts_);
    }
    return status;
  }

 private:
  const std::shared_ptr<WalCounts> counts_;
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> MonitorWal(std::shared_ptr<rocksdb::FileSystem> target,
                                                std::shared_ptr<WalCounts> counts) {
  return std::make_shared<MonitoringFileSystem>(std::move(target), std::move(counts));
}

}  // namespace holdfast::storage
