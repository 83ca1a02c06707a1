#include "service/backup/object_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace holdfast::backup {
namespace {

class ObjectReader {
 public:
  ObjectReader(std::shared_ptr<const OpenedBackup> backup, Target& target, Work& work)
      : backup_(std::move(backup)), target_(target), work_(work) {}

  Result<std::size_t> Read(char* buffer, std::size_t size) {
    std::size_t given = 0;
    while (given < size) {
      if (at_ == object_.size()) {
        if (next_ == backup_->manifest.objects.size()) break;
        HOLDFAST_RETURN_IF_ERROR(GetNext());
      }
      const std::size_t some = std::min(size - given, object_.size() - at_);
      std::memcpy(buffer + given, object_.data() + at_, some);
      at_ += some;
      given += some;
    }
    return given;
  }

 private:
  Status GetNext() {
    const ManifestObject& wanted = backup_->manifest.objects[next_];
    const auto damaged = [&](std::string_view how) { return Damaged(fmt::format("object {} {}", wanted.name, how)); };
    HOLDFAST_RETURN_IF_ERROR(work_.Spend(wanted.bytes));
    auto got = target_.Get({backup_->manifest.id, wanted.name}, wanted.bytes, work_.deadline());
    if (!got.ok()) {
      if (got.error().code() == ErrorCode::kNotFound) return IsRemoved() ? Removed() : damaged("is missing");
      if (got.error().code() == ErrorCode::kResourceExhausted) return damaged("is too long");
      return std::move(got).error();
    }
    object_ = std::move(got).value();
    at_ = 0;
    if (object_.size() != wanted.bytes) return damaged("is cut off");
    durability::Sha256Stream digest;
    digest.Add(object_);
    if (digest.Finish() != wanted.digest) return damaged("has another SHA-256");
    ++next_;
    if (!backup_->cipher) return {};
    auto plain = backup_->cipher->Open(next_, wanted.name, object_);
    if (!plain.ok()) return damaged("is not what was encrypted under that name");
    object_ = std::move(plain).value();
    return {};
  }

  // The manifest goes first.
  bool IsRemoved() {
    const auto manifest =
        target_.Get({backup_->manifest.id, std::string(kManifestObject)}, kMaxManifestBytes, work_.deadline());
    return !manifest.ok() && manifest.error().code() == ErrorCode::kNotFound;
  }
  Error Removed() const {
    return {ErrorCode::kNotFound, fmt::format("backup {} was removed while it was read", backup_->manifest.id)};
  }

  const std::shared_ptr<const OpenedBackup> backup_;
  Target& target_;
  Work& work_;
  std::size_t next_ = 0;
  std::string object_;
  std::size_t at_ = 0;
};

}  // namespace

durability::ByteSource SourceOf(std::shared_ptr<const OpenedBackup> backup, Target& target, Work& work) {
  const auto reader = std::make_shared<ObjectReader>(std::move(backup), target, work);
  return [reader](char* buffer, std::size_t size) { return reader->Read(buffer, size); };
}

Result<durability::ValidCheckpoint> ReadAll(const std::shared_ptr<const OpenedBackup>& backup, Target& target,
                                            Work& work) {
  const durability::ByteSource paced = [source = SourceOf(backup, target, work), &work](char* buffer,
                                                                                        std::size_t size) {
    const Status rested = work.Rest();
    return rested.ok() ? source(buffer, size) : Result<std::size_t>(rested.error());
  };
  HOLDFAST_ASSIGN_OR_RETURN(const durability::ValidCheckpoint valid, durability::ValidateCheckpoint(paced));
  const Manifest& manifest = backup->manifest;
  const bool same = valid.summary.digest == manifest.checkpoint && valid.summary.entries == manifest.entries &&
                    valid.summary.file_bytes == manifest.checkpoint_bytes;
  if (!same) return Damaged("it holds another checkpoint than its manifest says");
  return valid;
}

}  // namespace holdfast::backup
