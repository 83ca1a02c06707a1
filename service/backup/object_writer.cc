#include "service/backup/object_writer.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::backup {

ObjectWriter::ObjectWriter(Target& target, std::string backup, std::string series, std::size_t object_bytes,
                           const ObjectCipher* cipher, Work& work, std::uint64_t numbers)
    : target_(target),
      backup_(std::move(backup)),
      series_(std::move(series)),
      object_bytes_(object_bytes),
      cipher_(cipher),
      work_(work),
      numbers_(numbers) {}

Status ObjectWriter::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view some = bytes.substr(0, object_bytes_ - filling_.size());
    filling_ += some;
    bytes.remove_prefix(some.size());
    if (filling_.size() == object_bytes_) HOLDFAST_RETURN_IF_ERROR(PutObject());
  }
  return {};
}

Result<std::vector<ManifestObject>> ObjectWriter::Finish() {
  if (!filling_.empty()) HOLDFAST_RETURN_IF_ERROR(PutObject());
  return std::move(objects_);
}

Status ObjectWriter::PutObject() {
  const std::size_t number = objects_.size() + 1;
  if (number > kMaxObjects) {
    return Error(
        ErrorCode::kResourceExhausted,
        fmt::format("a backup has {} objects at most: raise backups.object_bytes ({})", kMaxObjects, object_bytes_));
  }
  const ObjectName name{backup_, fmt::format("{}-{:08}", series_, number)};
  if (cipher_ != nullptr) filling_ = cipher_->Seal(numbers_ + number, name.object, filling_);
  HOLDFAST_RETURN_IF_ERROR(work_.Spend(filling_.size()));
  HOLDFAST_RETURN_IF_ERROR(target_.Put(name, filling_, work_.deadline()));
  durability::Sha256Stream digest;
  digest.Add(filling_);
  objects_.push_back({name.object, filling_.size(), digest.Finish()});
  filling_.clear();
  return {};
}

}  // namespace holdfast::backup
