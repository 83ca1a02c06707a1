#include "service/durability/checkpoint_directory.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <random>

namespace holdfast::durability {
namespace {

constexpr std::string_view kSuffix = ".checkpoint";
constexpr std::string_view kValidatedSuffix = ".validated";
constexpr char kRestoring[] = "restoring";

std::string FileOf(std::string_view id) {
  return std::string(id).append(kSuffix);
}
std::string PartialOf(std::string_view id) {
  return FileOf(id).append(kPartialSuffix);
}
std::string ValidatedOf(std::string_view id) {
  return std::string(id).append(kValidatedSuffix);
}

Error NoSuch(std::string_view id) {
  return {ErrorCode::kNotFound, IsCheckpointId(id) ? fmt::format("there is no checkpoint {}", id)
                                                   : "there is no such checkpoint: an id is 1 to 63 of a-z, 0-9 and -"};
}

// The id of a checkpoint's file; empty: it is none.
std::string_view IdOf(std::string_view name) {
  if (!name.ends_with(kSuffix)) return {};
  name.remove_suffix(kSuffix.size());
  return IsCheckpointId(name) ? name : std::string_view();
}

// When it was last read whole, if that was this file.
std::optional<Timestamp> ValidatedAt(const std::optional<std::string>& text, const Digest& digest) {
  const std::string shown = ShowDigest(digest) + ' ';
  if (!text || !text->starts_with(shown)) return std::nullopt;
  std::int64_t micros = 0;
  const char* const begin = text->data() + shown.size();
  const char* const end = text->data() + text->size();
  if (std::from_chars(begin, end, micros).ec != std::errc()) return std::nullopt;
  return Timestamp{std::chrono::microseconds{micros}};
}

// Header and footer, without what lies between.
Status ReadEnds(const File& file, StoredCheckpoint* stored) {
  std::string head(kMaxHeaderBytes, '\0');
  HOLDFAST_ASSIGN_OR_RETURN(const std::size_t read, file.ReadAt(head.data(), head.size(), 0));
  if (read < kHeaderFrameBytes) return Damaged("it is cut off");
  HOLDFAST_ASSIGN_OR_RETURN(const std::size_t size, HeaderBytes(std::string_view(head).substr(0, kHeaderFrameBytes)));
  if (read < size) return Damaged("it is cut off");
  HOLDFAST_ASSIGN_OR_RETURN(stored->header, DecodeHeader(std::string_view(head).substr(0, size)));
  HOLDFAST_RETURN_IF_ERROR(CheckKind(stored->header, CheckpointKind::kFull));
  HOLDFAST_ASSIGN_OR_RETURN(const std::uint64_t bytes, file.Size());
  if (bytes < size + kFooterBytes) return Damaged("it is cut off");
  std::string footer(kFooterBytes, '\0');
  HOLDFAST_RETURN_IF_ERROR(file.ReadAt(footer.data(), footer.size(), static_cast<off_t>(bytes - kFooterBytes)));
  HOLDFAST_ASSIGN_OR_RETURN(stored->summary, DecodeFooter(footer));
  return stored->summary.file_bytes == bytes ? Status() : Status(Damaged("it is cut off"));
}

Result<StoredCheckpoint> Look(const Folder& folder, const std::string& id) {
  const Result<File> file = folder.OpenFile(FileOf(id));
  if (!file.ok()) return file.error().code() == ErrorCode::kNotFound ? NoSuch(id) : file.error();
  StoredCheckpoint stored;
  stored.id = id;
  Status read = ReadEnds(*file, &stored);
  if (!read.ok()) {
    stored.damage = std::move(read).error();
    return stored;
  }
  HOLDFAST_ASSIGN_OR_RETURN(const auto validated, folder.ReadSmall(ValidatedOf(id)));
  stored.validated_at = ValidatedAt(validated, stored.summary.digest);
  return stored;
}

}  // namespace

bool IsCheckpointId(std::string_view id) {
  return !id.empty() && id.size() <= kMaxIdBytes && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

Status CheckCheckpointId(std::string_view id) {
  if (IsCheckpointId(id)) return {};
  return Error(ErrorCode::kInvalidArgument, "the id of a checkpoint is 1 to 63 of a-z, 0-9 and -");
}

std::string MakeCheckpointId(Timestamp now) {
  constexpr std::uint32_t kSixDigits = 1U << 24;
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  return fmt::format("{:%Y%m%dt%H%M%Sz}-{:06x}", fmt::gmtime(seconds), std::random_device()() % kSixDigits);
}

CheckpointDraft::CheckpointDraft(CheckpointDraft&& other) noexcept
    : folder_(other.folder_), id_(std::exchange(other.id_, {})), file_(std::move(other.file_)) {}

CheckpointDraft::~CheckpointDraft() {
  if (!id_.empty()) static_cast<void>(folder_.Remove(PartialOf(id_)).ok());
}

Status CheckpointDraft::Commit() {
  HOLDFAST_RETURN_IF_ERROR(file_.Sync());
  HOLDFAST_RETURN_IF_ERROR(folder_.Rename(PartialOf(id_), FileOf(id_)));
  id_.clear();
  return {};
}

Result<std::optional<Folder>> CheckpointDirectory::OpenFolder() const {
  HOLDFAST_ASSIGN_OR_RETURN(const std::optional<Folder> directory, Folder::Open(directory_));
  if (!directory) return std::optional<Folder>();
  return directory->OpenChild(store_);
}

Result<Folder> CheckpointDirectory::MakeFolder() const {
  HOLDFAST_ASSIGN_OR_RETURN(const Folder directory, Folder::Make(directory_));
  return directory.MakeChild(store_);
}

Result<Folder> CheckpointDirectory::FolderOf(const std::string& id) const {
  if (!IsCheckpointId(id)) return NoSuch(id);
  HOLDFAST_ASSIGN_OR_RETURN(std::optional<Folder> folder, OpenFolder());
  if (!folder) return NoSuch(id);
  return std::move(*folder);
}

Result<bool> CheckpointDirectory::Exists() const {
  HOLDFAST_ASSIGN_OR_RETURN(const std::optional<Folder> folder, OpenFolder());
  return folder.has_value();
}

Result<std::optional<StoreLock>> CheckpointDirectory::TryLock() const {
  HOLDFAST_ASSIGN_OR_RETURN(const Folder folder, MakeFolder());
  return StoreLock::Try(folder);
}

Result<StoreLock> CheckpointDirectory::Lock(Deadline deadline) const {
  HOLDFAST_ASSIGN_OR_RETURN(const Folder folder, MakeFolder());
  return StoreLock::Wait(folder, deadline);
}

Status CheckpointDirectory::Clean() const {
  HOLDFAST_ASSIGN_OR_RETURN(const std::optional<Folder> folder, OpenFolder());
  if (!folder) return {};
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<std::string> names, folder->Names());
  for (const std::string& name : names) {
    if (name.ends_with(kPartialSuffix)) HOLDFAST_RETURN_IF_ERROR(folder->Remove(name));
  }
  return {};
}

Result<std::vector<StoredCheckpoint>> CheckpointDirectory::List() const {
  std::vector<StoredCheckpoint> all;
  HOLDFAST_ASSIGN_OR_RETURN(const std::optional<Folder> folder, OpenFolder());
  if (!folder) return all;
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<std::string> names, folder->Names());
  for (const std::string& name : names) {
    const std::string id(IdOf(name));
    if (id.empty()) continue;
    Result<StoredCheckpoint> stored = Look(*folder, id);
    if (stored.ok()) {
      all.push_back(std::move(stored).value());
    } else if (stored.error().code() != ErrorCode::kNotFound) {
      return std::move(stored).error();
    }
  }
  std::sort(all.begin(), all.end(), [](const StoredCheckpoint& a, const StoredCheckpoint& b) {
    return std::tie(a.header.created_at, a.id) < std::tie(b.header.created_at, b.id);
  });
  return all;
}

Result<StoredCheckpoint> CheckpointDirectory::Get(const std::string& id) const {
  HOLDFAST_ASSIGN_OR_RETURN(const Folder folder, FolderOf(id));
  return Look(folder, id);
}

Status CheckpointDirectory::Find(const std::string& id) const {
  HOLDFAST_ASSIGN_OR_RETURN(const Folder folder, FolderOf(id));
  return folder.Has(FileOf(id)) ? Status() : Status(NoSuch(id));
}

Result<ByteSource> CheckpointDirectory::Open(const std::string& id) const {
  HOLDFAST_ASSIGN_OR_RETURN(const Folder folder, FolderOf(id));
  Result<File> opened = folder.OpenFile(FileOf(id));
  if (!opened.ok()) return opened.error().code() == ErrorCode::kNotFound ? NoSuch(id) : opened.error();
  const auto file = std::make_shared<const File>(std::move(opened).value());
  return ByteSource([file, offset = off_t{0}](char* buffer, std::size_t size) mutable -> Result<std::size_t> {
    HOLDFAST_ASSIGN_OR_RETURN(const std::size_t read, file->ReadAt(buffer, size, offset));
    offset += static_cast<off_t>(read);
    return read;
  });
}

Result<CheckpointDraft> CheckpointDirectory::Begin(const std::string& id) const {
  HOLDFAST_RETURN_IF_ERROR(CheckCheckpointId(id));
  HOLDFAST_ASSIGN_OR_RETURN(const Folder folder, MakeFolder());
  if (folder.Has(FileOf(id))) {
    return Error(ErrorCode::kAlreadyExists, fmt::format("there is a checkpoint {} already; name another id", id));
  }
  HOLDFAST_ASSIGN_OR_RETURN(File file, folder.CreateFile(PartialOf(id)));
  return CheckpointDraft(folder, id, std::move(file));
}

Status CheckpointDirectory::Remove(const std::string& id) const {
  HOLDFAST_RETURN_IF_ERROR(Find(id));
  HOLDFAST_ASSIGN_OR_RETURN(const Folder folder, FolderOf(id));
  HOLDFAST_RETURN_IF_ERROR(folder.Remove(FileOf(id)));
  return folder.Remove(ValidatedOf(id));
}

Status CheckpointDirectory::MarkValidated(const std::string& id, const Digest& digest, Timestamp now) const {
  HOLDFAST_ASSIGN_OR_RETURN(const Folder folder, FolderOf(id));
  return folder.WriteSmall(ValidatedOf(id), fmt::format("{} {}\n", ShowDigest(digest), now.time_since_epoch().count()));
}

Result<std::optional<RestoreMark>> CheckpointDirectory::FindRestore() const {
  HOLDFAST_ASSIGN_OR_RETURN(const std::optional<Folder> folder, OpenFolder());
  if (!folder) return std::optional<RestoreMark>();
  HOLDFAST_ASSIGN_OR_RETURN(const std::optional<std::string> text, folder->ReadSmall(kRestoring));
  if (!text) return std::optional<RestoreMark>();
  const std::size_t blank = text->find(' ');
  RestoreMark mark{text->substr(0, blank), ""};
  if (blank != std::string::npos) mark.undo = text->substr(blank + 1, text->find('\n') - blank - 1);
  if (!IsCheckpointId(mark.id) || !IsCheckpointId(mark.undo)) {
    return Error(ErrorCode::kCorruption, fmt::format("{}/{} cannot be read", folder->path(), kRestoring));
  }
  return std::optional<RestoreMark>(std::move(mark));
}

Status CheckpointDirectory::MarkRestore(const RestoreMark& mark) const {
  HOLDFAST_ASSIGN_OR_RETURN(const Folder folder, MakeFolder());
  return folder.WriteSmall(kRestoring, fmt::format("{} {}\n", mark.id, mark.undo));
}

Status CheckpointDirectory::RemoveRestoreMark() const {
  HOLDFAST_ASSIGN_OR_RETURN(const std::optional<Folder> folder, OpenFolder());
  return folder ? folder->Remove(kRestoring) : Status();
}

}  // namespace holdfast::durability
