#include "service/durability/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace holdfast::durability {
namespace {

constexpr mode_t kFileMode = 0600;
constexpr mode_t kFolderMode = 0700;
constexpr std::size_t kSmallBytes = 64u << 10;

Error Failed(std::string_view what, const std::string& path, int code) {
  const std::string reason = std::generic_category().message(code);
  if (code == ENOSPC || code == EDQUOT || code == EFBIG) {
    return {ErrorCode::kResourceExhausted,
            fmt::format("{} {}: {}; free space there, or keep fewer checkpoints", what, path, reason)};
  }
  return {ErrorCode::kUnavailable, fmt::format("{} {}: {}", what, path, reason)};
}

}  // namespace

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<std::size_t> File::ReadAt(char* buffer, std::size_t size, off_t offset) const {
  std::size_t read = 0;
  while (read < size) {
    const ssize_t got = ::pread(descriptor_, buffer + read, size - read, offset + static_cast<off_t>(read));
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failed("reading", "a file of checkpoints", errno);
    read += static_cast<std::size_t>(got);
  }
  return read;
}

Status File::Write(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failed("writing", "a file of checkpoints", errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Status File::Sync() const {
  return ::fsync(descriptor_) == 0 ? Status() : Status(Failed("syncing", "a file of checkpoints", errno));
}

Result<std::uint64_t> File::Size() const {
  struct stat facts {};
  if (::fstat(descriptor_, &facts) != 0) return Failed("looking at", "a file of checkpoints", errno);
  return static_cast<std::uint64_t>(facts.st_size);
}

Result<std::optional<Folder>> Folder::Open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOENT) return std::optional<Folder>();
  if (descriptor < 0) return Failed("opening the folder", path, errno);
  return std::optional<Folder>(Folder(path, std::make_shared<const File>(descriptor)));
}

Result<Folder> Folder::Make(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return Failed("creating the folder", path, error.value());
  HOLDFAST_ASSIGN_OR_RETURN(std::optional<Folder> folder, Open(path));
  if (!folder) return Failed("opening the folder", path, ENOENT);
  return std::move(*folder);
}

Result<std::optional<Folder>> Folder::OpenChild(const std::string& name) const {
  const std::string path = path_ + '/' + name;
  const int descriptor = ::openat(file_->descriptor(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOENT) return std::optional<Folder>();
  if (descriptor < 0) return Failed("opening the folder", path, errno);
  return std::optional<Folder>(Folder(path, std::make_shared<const File>(descriptor)));
}

Result<Folder> Folder::MakeChild(const std::string& name) const {
  if (::mkdirat(file_->descriptor(), name.c_str(), kFolderMode) == 0) {
    // The name of the folder is to survive as its files do.
    HOLDFAST_RETURN_IF_ERROR(file_->Sync());
  } else if (errno != EEXIST) {
    return Failed("creating the folder", path_ + '/' + name, errno);
  }
  HOLDFAST_ASSIGN_OR_RETURN(std::optional<Folder> folder, OpenChild(name));
  if (!folder) return Failed("opening the folder", path_ + '/' + name, ENOENT);
  return std::move(*folder);
}

Result<std::vector<std::string>> Folder::Names() const {
  const int descriptor = ::openat(file_->descriptor(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const stream = descriptor >= 0 ? ::fdopendir(descriptor) : nullptr;
  if (stream == nullptr) {
    const int code = errno;
    if (descriptor >= 0) ::close(descriptor);
    return Failed("listing the folder", path_, code);
  }
  std::vector<std::string> names;
  for (const dirent* entry = ::readdir(stream); entry != nullptr; entry = ::readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  ::closedir(stream);
  return names;
}

Result<File> Folder::OpenFile(const std::string& name) const {
  const auto none = [&] { return Error(ErrorCode::kNotFound, fmt::format("there is no file {} in {}", name, path_)); };
  if (name.find('/') != std::string::npos) return none();
  // Not blocking: whoever opens a pipe waits for its other end.
  File file(::openat(file_->descriptor(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (file.descriptor() < 0 && (errno == ENOENT || errno == ELOOP || errno == ENXIO)) return none();
  if (file.descriptor() < 0) return Failed("opening", path_ + '/' + name, errno);
  struct stat facts {};
  if (::fstat(file.descriptor(), &facts) != 0 || !S_ISREG(facts.st_mode)) return none();
  return file;
}

Result<File> Folder::CreateFile(const std::string& name) const {
  HOLDFAST_RETURN_IF_ERROR(Remove(name));
  File file(
      ::openat(file_->descriptor(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kFileMode));
  if (file.descriptor() < 0) return Failed("creating", path_ + '/' + name, errno);
  return file;
}

Result<File> Folder::OpenOrCreateFile(const std::string& name) const {
  File file(
      ::openat(file_->descriptor(), name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, kFileMode));
  if (file.descriptor() < 0) return Failed("opening", path_ + '/' + name, errno);
  struct stat facts {};
  if (::fstat(file.descriptor(), &facts) != 0 || !S_ISREG(facts.st_mode)) {
    return Failed("opening", path_ + '/' + name, EINVAL);
  }
  return file;
}

bool Folder::Has(const std::string& name) const {
  return ::faccessat(file_->descriptor(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

Status Folder::Rename(const std::string& from, const std::string& to) const {
  if (::renameat(file_->descriptor(), from.c_str(), file_->descriptor(), to.c_str()) != 0) {
    return Failed("renaming", path_ + '/' + from, errno);
  }
  return file_->Sync();
}

Status Folder::Link(const std::string& from, const std::string& to) const {
  if (::linkat(file_->descriptor(), from.c_str(), file_->descriptor(), to.c_str(), 0) != 0) {
    if (errno != EEXIST) return Failed("linking", path_ + '/' + from, errno);
    return Error(ErrorCode::kAlreadyExists, fmt::format("there is a file {} in {} already", to, path_));
  }
  return file_->Sync();
}

Status Folder::Remove(const std::string& name) const {
  if (::unlinkat(file_->descriptor(), name.c_str(), 0) != 0) {
    return errno == ENOENT ? Status() : Status(Failed("removing", path_ + '/' + name, errno));
  }
  return file_->Sync();
}

Status Folder::RemoveChildIfEmpty(const std::string& name) const {
  if (::unlinkat(file_->descriptor(), name.c_str(), AT_REMOVEDIR) == 0) return file_->Sync();
  const bool stays = errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR;
  return stays ? Status() : Status(Failed("removing the folder", path_ + '/' + name, errno));
}

Result<std::optional<std::string>> Folder::ReadSmall(const std::string& name) const {
  Result<File> file = OpenFile(name);
  if (!file.ok() && file.error().code() == ErrorCode::kNotFound) return std::optional<std::string>();
  if (!file.ok()) return std::move(file).error();
  std::string bytes(kSmallBytes, '\0');
  HOLDFAST_ASSIGN_OR_RETURN(const std::size_t size, file->ReadAt(bytes.data(), bytes.size(), 0));
  bytes.resize(size);
  return std::optional<std::string>(std::move(bytes));
}

Status Folder::WriteSmall(const std::string& name, std::string_view bytes) const {
  const std::string partial = name + std::string(kPartialSuffix);
  const auto write = [&]() -> Status {
    HOLDFAST_ASSIGN_OR_RETURN(const File file, CreateFile(partial));
    HOLDFAST_RETURN_IF_ERROR(file.Write(bytes));
    HOLDFAST_RETURN_IF_ERROR(file.Sync());
    return Rename(partial, name);
  };
  Status written = write();
  if (!written.ok()) static_cast<void>(Remove(partial).ok());
  return written;
}

}  // namespace holdfast::durability
