#include "service/backup/folder_target.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>

#include "service/backup/hex.h"
#include "service/backup/object_cipher.h"
#include "service/durability/folder.h"

namespace holdfast::backup {
namespace {

using durability::File;
using durability::Folder;

Status InTime(Deadline deadline) {
  if (!deadline.Expired()) return {};
  return Error(ErrorCode::kDeadlineExceeded, "the deadline passed before the folder was asked");
}

// What a Put that was interrupted left behind counts under the name that it was to have.
std::string_view WithoutPartial(std::string_view name) {
  if (name.ends_with(durability::kPartialSuffix)) name.remove_suffix(durability::kPartialSuffix.size());
  return name;
}

class FolderTarget final : public Target {
 public:
  FolderTarget(std::string directory, std::string store) : directory_(std::move(directory)), store_(std::move(store)) {}

  std::string Describe() const override { return fmt::format("folder {}/{}", directory_, store_); }

  Status Put(const ObjectName& name, std::string_view bytes, Deadline deadline) override {
    HOLDFAST_RETURN_IF_ERROR(CheckName(name));
    HOLDFAST_RETURN_IF_ERROR(InTime(deadline));
    return Named(name, InFolder(name, [&](const Folder& folder) { return folder.WriteSmall(name.object, bytes); }));
  }

  Status PutNew(const ObjectName& name, std::string_view bytes, Deadline deadline) override {
    HOLDFAST_RETURN_IF_ERROR(CheckName(name));
    HOLDFAST_RETURN_IF_ERROR(InTime(deadline));
    Status written = InFolder(name, [&](const Folder& folder) { return WriteNew(folder, name, bytes); });
    const bool taken = !written.ok() && written.error().code() == ErrorCode::kAlreadyExists;
    return taken ? Status(AlreadyThere(name, *this)) : Named(name, std::move(written));
  }

  Result<std::string> Get(const ObjectName& name, std::size_t most, Deadline deadline) override {
    const auto none = [&] { return Error(ErrorCode::kNotFound, fmt::format("{} has no {}", Describe(), Show(name))); };
    if (!CheckName(name).ok()) return none();
    HOLDFAST_RETURN_IF_ERROR(InTime(deadline));
    HOLDFAST_ASSIGN_OR_RETURN(const std::optional<Folder> folder, FolderOf(name.backup));
    if (!folder) return none();
    const Result<File> file = folder->OpenFile(name.object);
    if (!file.ok()) return file.error().code() == ErrorCode::kNotFound ? none() : file.error();
    HOLDFAST_ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
    if (size > most) {
      return Error(ErrorCode::kResourceExhausted,
                   fmt::format("{} has {} bytes in {}, and {} were the most", Show(name), size, Describe(), most));
    }
    std::string bytes(size, '\0');
    HOLDFAST_ASSIGN_OR_RETURN(const std::size_t read, file->ReadAt(bytes.data(), bytes.size(), 0));
    bytes.resize(read);
    return bytes;
  }

  Result<std::vector<StoredObject>> List(std::string_view prefix, Deadline deadline) override {
    HOLDFAST_RETURN_IF_ERROR(InTime(deadline));
    std::vector<StoredObject> objects;
    HOLDFAST_ASSIGN_OR_RETURN(const std::optional<Folder> store, StoreFolder());
    if (!store) return objects;
    HOLDFAST_ASSIGN_OR_RETURN(const std::vector<std::string> backups, store->Names());
    const std::string_view wanted = prefix.substr(0, prefix.find('/'));
    const bool exactly = wanted.size() < prefix.size();
    for (const std::string& backup : backups) {
      if (!IsName(backup) || !backup.starts_with(wanted) || (exactly && backup != wanted)) continue;
      HOLDFAST_RETURN_IF_ERROR(Collect(*store, backup, &objects));
    }
    std::erase_if(objects, [&](const StoredObject& object) { return !Show(object.name).starts_with(prefix); });
    std::sort(objects.begin(), objects.end(),
              [](const StoredObject& a, const StoredObject& b) { return Show(a.name) < Show(b.name); });
    return objects;
  }

  Status Delete(const ObjectName& name, Deadline deadline) override {
    HOLDFAST_RETURN_IF_ERROR(CheckName(name));
    HOLDFAST_RETURN_IF_ERROR(InTime(deadline));
    HOLDFAST_ASSIGN_OR_RETURN(const std::optional<Folder> store, StoreFolder());
    if (!store) return {};
    HOLDFAST_ASSIGN_OR_RETURN(const std::optional<Folder> folder, store->OpenChild(name.backup));
    if (!folder) return {};
    for (const std::string& file : {name.object, name.object + std::string(durability::kPartialSuffix)}) {
      if (folder->Has(file)) HOLDFAST_RETURN_IF_ERROR(folder->Remove(file));
    }
    return store->RemoveChildIfEmpty(name.backup);
  }

 private:
  Result<std::optional<Folder>> StoreFolder() const {
    HOLDFAST_ASSIGN_OR_RETURN(const std::optional<Folder> directory, Folder::Open(directory_));
    if (!directory) return std::optional<Folder>();
    return directory->OpenChild(store_);
  }

  Result<std::optional<Folder>> FolderOf(const std::string& backup) const {
    HOLDFAST_ASSIGN_OR_RETURN(const std::optional<Folder> store, StoreFolder());
    if (!store) return std::optional<Folder>();
    return store->OpenChild(backup);
  }

  // `write` in the folder of a backup, which is made.
  template <typename Write>
  Status InFolder(const ObjectName& name, const Write& write) const {
    HOLDFAST_ASSIGN_OR_RETURN(const Folder directory, Folder::Make(directory_));
    HOLDFAST_ASSIGN_OR_RETURN(const Folder store, directory.MakeChild(store_));
    HOLDFAST_ASSIGN_OR_RETURN(const Folder folder, store.MakeChild(name.backup));
    Status written = write(folder);
    // A folder without anything is nobody's backup, and nothing would ever remove it.
    if (!written.ok()) static_cast<void>(store.RemoveChildIfEmpty(name.backup).ok());
    return written;
  }

  // A second name is given to a whole file, or to none; the first one is nobody else's.
  static Status WriteNew(const Folder& folder, const ObjectName& name, std::string_view bytes) {
    constexpr std::size_t kUniqueBytes = 8;
    const std::string own = "new-" + ToHex(RandomBytes(kUniqueBytes));
    HOLDFAST_RETURN_IF_ERROR(folder.WriteSmall(own, bytes));
    Status linked = folder.Link(own, name.object);
    const Status removed = folder.Remove(own);
    return linked.ok() ? removed : linked;
  }

  // The error of a write in the words of a target.
  Status Named(const ObjectName& name, Status written) const {
    if (written.ok()) return {};
    if (written.error().code() == ErrorCode::kResourceExhausted) {
      return Error(ErrorCode::kResourceExhausted,
                   fmt::format("{} has no room for {}: free space there, or remove backups (holdfast backup prune)",
                               Describe(), Show(name)));
    }
    return std::move(written).WithContext(fmt::format("writing {} to {}", Show(name), Describe()));
  }

  static Status Collect(const Folder& store, const std::string& backup, std::vector<StoredObject>* objects) {
    const Result<std::optional<Folder>> folder = store.OpenChild(backup);
    // A file or a link of that name is nobody's backup.
    if (!folder.ok() || !*folder) return {};
    HOLDFAST_ASSIGN_OR_RETURN(const std::vector<std::string> names, (*folder)->Names());
    for (const std::string& name : names) {
      const std::string object(WithoutPartial(name));
      if (!IsName(object)) continue;
      const Result<File> file = (*folder)->OpenFile(name);
      if (!file.ok()) continue;
      struct stat facts {};
      if (::fstat(file->descriptor(), &facts) != 0) continue;
      objects->push_back({{backup, object},
                          static_cast<std::uint64_t>(facts.st_size),
                          Timestamp{std::chrono::seconds{facts.st_mtim.tv_sec}}});
    }
    return {};
  }

  const std::string directory_;
  const std::string store_;
};

}  // namespace

std::unique_ptr<Target> MakeFolderTarget(std::string directory, std::string store) {
  return std::make_unique<FolderTarget>(std::move(directory), std::move(store));
}

}  // namespace holdfast::backup
