// A disk on which the process is killed, as by kill -9, at one of the steps that change something: making, writing,
// syncing, linking, renaming and removing files.
#pragma once

#include <rocksdb/file_system.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <string>
#include <utility>

namespace holdfast::storage {

class KillingFileSystem : public rocksdb::FileSystemWrapper {
 public:
  KillingFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "KillingFileSystem"; }

  // From now on steps are counted, and none comes behind the `at`th; 0: all do.
  void Arm(int at) {
    steps_ = 0;
    at_ = at;
  }
  int steps() const { return steps_.load(); }
  int links() const { return links_.load(); }

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override {
    Step();
    const rocksdb::IOStatus made = target()->NewWritableFile(name, options, file, debug);
    if (made.ok()) *file = std::make_unique<File>(std::move(*file), *this);
    return made;
  }
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override {
    Step();
    ++links_;
    return target()->LinkFile(from, to, options, debug);
  }
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
    Step();
    return target()->RenameFile(from, to, options, debug);
  }
  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
    Step();
    return target()->DeleteFile(name, options, debug);
  }

 private:
  class File : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    File(std::unique_ptr<rocksdb::FSWritableFile> file, KillingFileSystem& system)
        : FSWritableFileOwnerWrapper(std::move(file)), system_(system) {}
    using FSWritableFileOwnerWrapper::Append;
    rocksdb::IOStatus Append(const rocksdb::Slice& bytes, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override {
      system_.Step();
      return target()->Append(bytes, options, debug);
    }
    rocksdb::IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
      system_.Step();
      return target()->Sync(options, debug);
    }

   private:
    KillingFileSystem& system_;
  };

  void Step() {
    if (++steps_ != at_) return;
    ::kill(::getpid(), SIGKILL);
    ::pause();
  }

  std::atomic<int> at_{0};
  std::atomic<int> steps_{0};
  std::atomic<int> links_{0};
};

}  // namespace holdfast::storage
