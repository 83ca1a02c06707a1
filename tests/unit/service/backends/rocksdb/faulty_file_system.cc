#include "tests/unit/service/backends/rocksdb/faulty_file_system.h"

#include <algorithm>
#include <filesystem>

namespace holdfast::storage {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class FaultyFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FaultyFile(std::unique_ptr<rocksdb::FSWritableFile> target, std::string name, FaultyFileSystem& disk)
      : FSWritableFileOwnerWrapper(std::move(target)), name_(std::move(name)), disk_(disk) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, IODebugContext* debug) override {
    const IOStatus fault = disk_.CheckAppend(name_);
    const rocksdb::Slice written(data.data(), fault.ok() ? data.size() : data.size() / 2);
    const IOStatus status = FSWritableFileOwnerWrapper::Append(written, options, debug);
    if (status.ok()) disk_.Written(name_, written.size());
    return fault.ok() ? status : fault;
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& /*verification*/, IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    const IOStatus fault = disk_.CheckSync(name_);
    if (!fault.ok()) return fault;
    const IOStatus status = FSWritableFileOwnerWrapper::Sync(options, debug);
    if (status.ok()) disk_.Synced(name_);
    return status;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override { return Sync(options, debug); }

 private:
  const std::string name_;
  FaultyFileSystem& disk_;
};

}  // namespace

void FaultyFileSystem::FailAppends(const std::string& suffix, Fault fault) {
  std::lock_guard lock(mutex_);
  append_faults_[suffix] = fault;
}

void FaultyFileSystem::FailSyncs(const std::string& suffix, Fault fault) {
  std::lock_guard lock(mutex_);
  sync_faults_[suffix] = fault;
}

IOStatus FaultyFileSystem::Check(const std::map<std::string, Fault>& faults, const std::string& name) {
  std::lock_guard lock(mutex_);
  for (const auto& [suffix, fault] : faults) {
    if (fault == Fault::kNone || !name.ends_with(suffix)) continue;
    ++faults_;
    if (fault == Fault::kIoError) return IOStatus::IOError("injected");
    IOStatus no_space = IOStatus::NoSpace("injected");
    no_space.SetRetryable(true);  // as RocksDB's own file system says of ENOSPC
    return no_space;
  }
  return IOStatus::OK();
}

void FaultyFileSystem::Written(const std::string& name, std::size_t bytes) {
  std::lock_guard lock(mutex_);
  sizes_[name].written += bytes;
}

void FaultyFileSystem::Synced(const std::string& name) {
  std::lock_guard lock(mutex_);
  sizes_[name].synced = sizes_[name].written;
}

IOStatus FaultyFileSystem::NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                           std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* debug) {
  std::lock_guard lock(mutex_);
  const IOStatus status = target()->NewWritableFile(name, options, file, debug);
  if (!status.ok()) return status;
  sizes_[name] = {};
  *file = std::make_unique<FaultyFile>(std::move(*file), name, *this);
  return status;
}

IOStatus FaultyFileSystem::DeleteFile(const std::string& name, const IOOptions& options, IODebugContext* debug) {
  std::lock_guard lock(mutex_);
  return target()->DeleteFile(name, options, debug);
}

IOStatus FaultyFileSystem::LinkFile(const std::string& from, const std::string& to, const IOOptions& options,
                                    IODebugContext* debug) {
  std::lock_guard lock(mutex_);
  const IOStatus status = target()->LinkFile(from, to, options, debug);
  const auto found = sizes_.find(from);
  if (status.ok() && found != sizes_.end()) sizes_[to] = found->second;
  return status;
}

IOStatus FaultyFileSystem::RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                                      IODebugContext* debug) {
  std::lock_guard lock(mutex_);
  const IOStatus status = target()->RenameFile(from, to, options, debug);
  const auto found = sizes_.find(from);
  if (status.ok() && found != sizes_.end()) {
    sizes_[to] = found->second;
    sizes_.erase(found);
  }
  return status;
}

void FaultyFileSystem::CopyAfterCrash(const std::string& from, const std::string& to) {
  Copy(from, to, Keep::kWritten);
}

void FaultyFileSystem::CopyAfterPowerCut(const std::string& from, const std::string& to) {
  Copy(from, to, Keep::kSynced);
}

void FaultyFileSystem::Copy(const std::string& from, const std::string& to, Keep keep) {
  namespace fs = std::filesystem;
  fs::create_directories(to);
  std::lock_guard lock(mutex_);
  // The archive of logs is a folder within.
  for (const fs::directory_entry& file : fs::recursive_directory_iterator(from)) {
    const fs::path copy = fs::path(to) / fs::relative(file.path(), from);
    if (file.is_directory()) {
      fs::create_directories(copy);
      continue;
    }
    fs::copy_file(file.path(), copy, fs::copy_options::overwrite_existing);
    if (keep == Keep::kWritten) continue;
    const auto known = sizes_.find(file.path().string());
    if (known == sizes_.end()) continue;
    fs::resize_file(copy, std::min<std::uintmax_t>(fs::file_size(copy), known->second.synced));
  }
}

}  // namespace holdfast::storage
