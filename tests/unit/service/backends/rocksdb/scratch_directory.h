// A folder of a test's own, removed with everything in it. In memory where the machine has such a place with room: what
// reaches a disk, and when, is FaultyFileSystem's business here, and real fsyncs would only take their time.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace holdfast::storage {

class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::error_code error;
    const std::filesystem::path memory = "/dev/shm";
    const bool room = std::filesystem::space(memory, error).available > (256u << 20) && !error;
    const std::filesystem::path parent = room ? memory : std::filesystem::temp_directory_path();
    std::string pattern = (parent / "holdfast-rocksdb-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  std::string Path(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace holdfast::storage
