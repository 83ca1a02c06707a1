#include "service/backup/object_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace holdfast::backup {
namespace {

class ObjectReader {
 public:
  // `objects`: of the backup; `numbers`: as ObjectWriter's.
  ObjectReader(std::shared_ptr<const OpenedBackup> backup, const std::vector<ManifestObject>& objects,
               std::uint64_t numbers, Target& target, Work& work)
      : backup_(std::move(backup)), objects_(objects), numbers_(numbers), target_(target), work_(work) {}

  Result<std::size_t> Read(char* buffer, std::size_t size) {
    std::size_t given = 0;
    while (given < size) {
      if (at_ == object_.size()) {
        if (next_ == objects_.size()) break;
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
    const ManifestObject& wanted = objects_[next_];
    const auto damaged = [&](std::string_view how) {
      return Damaged(fmt::format("object {} {}", Show({backup_->manifest.id, wanted.name}), how));
    };
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
    auto plain = backup_->cipher->Open(numbers_ + next_, wanted.name, object_);
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
  const std::vector<ManifestObject>& objects_;
  const std::uint64_t numbers_;
  Target& target_;
  Work& work_;
  std::size_t next_ = 0;
  std::string object_;
  std::size_t at_ = 0;
};

durability::ByteSource Read(std::shared_ptr<ObjectReader> reader) {
  return [reader = std::move(reader)](char* buffer, std::size_t size) { return reader->Read(buffer, size); };
}

}  // namespace

durability::ByteSource SourceOf(std::shared_ptr<const OpenedBackup> backup, Target& target, Work& work) {
  const std::vector<ManifestObject>& objects = backup->manifest.objects;
  return Read(std::make_shared<ObjectReader>(std::move(backup), objects, 0, target, work));
}

durability::ByteSource IndexOf(std::shared_ptr<const OpenedBackup> backup, Target& target, Work& work) {
  const std::vector<ManifestObject>& objects = backup->manifest.index;
  return Read(std::make_shared<ObjectReader>(std::move(backup), objects, kIndexNumbers, target, work));
}

}  // namespace holdfast::backup
