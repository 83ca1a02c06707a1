// A disk that fails when told to, and that knows which bytes a power cut would leave.
#pragma once

#include <rocksdb/file_system.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace holdfast::storage {

class FaultyFileSystem : public rocksdb::FileSystemWrapper {
 public:
  enum class Fault { kNone, kNoSpace, kIoError };

  FaultyFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "FaultyFileSystem"; }

  // Apply to files whose name ends in `suffix` (".log", ".sst") until set to kNone. A failing append writes the first
  // half of its bytes, as a full disk does.
  void FailAppends(const std::string& suffix, Fault fault);
  void FailSyncs(const std::string& suffix, Fault fault);
  // How often a fault struck: the positive control of the tests.
  int faults() const { return faults_.load(); }

  // Copies the directory as a crash of the process would leave it, or as a power cut would: every file without the
  // bytes written after its last sync. No file comes or goes during the copy.
  void CopyAfterCrash(const std::string& from, const std::string& to);
  void CopyAfterPowerCut(const std::string& from, const std::string& to);

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

  // For the files it hands out.
  rocksdb::IOStatus Check(const std::map<std::string, Fault>& faults, const std::string& name);
  rocksdb::IOStatus CheckAppend(const std::string& name) { return Check(append_faults_, name); }
  rocksdb::IOStatus CheckSync(const std::string& name) { return Check(sync_faults_, name); }
  void Written(const std::string& name, std::size_t bytes);
  void Synced(const std::string& name);

 private:
  struct Sizes {
    std::size_t written = 0;
    std::size_t synced = 0;
  };

  enum class Keep { kWritten, kSynced };
  void Copy(const std::string& from, const std::string& to, Keep keep);

  std::atomic<int> faults_{0};
  std::mutex mutex_;
  std::map<std::string, Fault> append_faults_;  // guarded by mutex_
  std::map<std::string, Fault> sync_faults_;    // guarded by mutex_
  std::map<std::string, Sizes> sizes_;          // guarded by mutex_
};

}  // namespace holdfast::storage
