// One folder whose files are opened by their names alone: nothing outside is reached, whatever a name says and whatever
// somebody has planted there. Symbolic links are not followed, and only regular files are opened.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"

namespace holdfast::durability {

// A file descriptor. Not thread-safe.
class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  File(File&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
  File& operator=(File&&) = delete;
  ~File();

  int descriptor() const { return descriptor_; }
  // Fewer bytes than the buffer has: the end.
  Result<std::size_t> ReadAt(char* buffer, std::size_t size, off_t offset) const;
  // kResourceExhausted when the disk is full.
  Status Write(std::string_view bytes) const;
  // What was written survives a crash of the machine.
  Status Sync() const;
  Result<std::uint64_t> Size() const;

 private:
  int descriptor_;
};

// Thread-safe.
class Folder {
 public:
  // Opens it; nullopt when there is none. kUnavailable with path and reason.
  static Result<std::optional<Folder>> Open(const std::string& path);
  // Creates it where it is missing, with those above it.
  static Result<Folder> Make(const std::string& path);
  // A folder in this one, likewise; kUnavailable also when it is a symbolic link.
  Result<std::optional<Folder>> OpenChild(const std::string& name) const;
  Result<Folder> MakeChild(const std::string& name) const;

  const std::string& path() const { return path_; }
  // Names of what is in it, in no order.
  Result<std::vector<std::string>> Names() const;
  // kNotFound: there is none, or it is no regular file.
  Result<File> OpenFile(const std::string& name) const;
  // A new one, for writing; one of that name is removed first.
  Result<File> CreateFile(const std::string& name) const;
  // For reading and writing, as it is; made where there is none. kUnavailable when it is no regular file.
  Result<File> OpenOrCreateFile(const std::string& name) const;
  bool Has(const std::string& name) const;
  // All survive a crash of the machine once they return ok. Link gives a file a second name; kAlreadyExists: there is
  // one of that name, which stays. An absent file is removed already.
  Status Rename(const std::string& from, const std::string& to) const;
  Status Link(const std::string& from, const std::string& to) const;
  Status Remove(const std::string& name) const;
  // Of a folder in this one; ok also when something is still in it, or it is none.
  Status RemoveChildIfEmpty(const std::string& name) const;

  // Of a file of a few bytes.
  Result<std::optional<std::string>> ReadSmall(const std::string& name) const;
  // Replaced whole: after a crash it is the old one or the new one.
  Status WriteSmall(const std::string& name, std::string_view bytes) const;

 private:
  Folder(std::string path, std::shared_ptr<const File> file) : path_(std::move(path)), file_(std::move(file)) {}

  std::string path_;
  std::shared_ptr<const File> file_;
};

// Of a file that is being written and gets its name with WriteSmall or Rename.
inline constexpr std::string_view kPartialSuffix = ".partial";

}  // namespace holdfast::durability
