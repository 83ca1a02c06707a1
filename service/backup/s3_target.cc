#include "service/backup/s3_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <optional>

#include "base/log/log.h"
#include "service/s3/bucket.h"

namespace holdfast::backup {
namespace {

// No name of a backup, and so in no list.
constexpr std::string_view kProbeKey = ".conditional-writes";

// Of "nightly-1/manifest"; nullopt for what is none of ours.
std::optional<ObjectName> NameOf(std::string_view shown) {
  const std::size_t slash = shown.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view backup = shown.substr(0, slash);
  const std::string_view object = shown.substr(slash + 1);
  if (!IsName(backup) || !IsName(object)) return std::nullopt;
  return ObjectName{std::string(backup), std::string(object)};
}

class S3Target final : public Target {
 public:
  S3Target(S3TargetOptions options, std::string store)
      : root_((options.prefix.empty() ? "" : options.prefix + '/') + std::move(store) + '/'),
        bucket_(std::move(options.bucket)) {}

  std::string Describe() const override {
    return fmt::format("bucket {} of {} under {}", bucket_.options().bucket, bucket_.options().endpoint, root_);
  }

  Status Put(const ObjectName& name, std::string_view bytes, Deadline deadline) override {
    HOLDFAST_RETURN_IF_ERROR(CheckName(name));
    return bucket_.Put(KeyOf(name), bytes, deadline).WithContext(Doing("writing", name));
  }

  Status PutNew(const ObjectName& name, std::string_view bytes, Deadline deadline) override {
    HOLDFAST_RETURN_IF_ERROR(CheckName(name));
    HOLDFAST_ASSIGN_OR_RETURN(const bool can_create, CreatesOnce(deadline));
    if (!can_create) WarnOnce();
    Status put = bucket_.PutNew(KeyOf(name), bytes, can_create, deadline);
    const bool taken = !put.ok() && put.error().code() == ErrorCode::kAlreadyExists;
    return taken ? Status(AlreadyThere(name, *this)) : std::move(put).WithContext(Doing("creating", name));
  }

  Result<bool> CreatesOnce(Deadline deadline) override {
    return bucket_.CanCreate(root_ + std::string(kProbeKey), deadline)
        .WithContext(fmt::format("asking what {} can do", Describe()));
  }

  Result<std::string> Get(const ObjectName& name, std::size_t most, Deadline deadline) override {
    if (!CheckName(name).ok()) {
      return Error(ErrorCode::kNotFound, fmt::format("{} has no {}", Describe(), Show(name)));
    }
    return bucket_.Get(KeyOf(name), most, deadline).WithContext(Doing("reading", name));
  }

  Result<std::vector<StoredObject>> List(std::string_view prefix, Deadline deadline) override {
    const std::string wanted = root_ + std::string(prefix);
    const auto said = [this] { return fmt::format("listing {}", Describe()); };
    HOLDFAST_ASSIGN_OR_RETURN(const auto objects, bucket_.List(wanted, deadline).WithContext(said()));
    HOLDFAST_ASSIGN_OR_RETURN(const auto uploads, bucket_.ListUploads(wanted, deadline).WithContext(said()));
    std::vector<StoredObject> all;
    for (const auto* const some : {&objects, &uploads}) {
      for (const s3::Listed& one : *some) {
        if (!one.key.starts_with(wanted)) continue;
        const std::optional<ObjectName> name = NameOf(std::string_view(one.key).substr(root_.size()));
        if (name) all.push_back({*name, one.bytes, one.modified_at});
      }
    }
    std::sort(all.begin(), all.end(),
              [](const StoredObject& a, const StoredObject& b) { return Show(a.name) < Show(b.name); });
    return all;
  }

  Status Delete(const ObjectName& name, Deadline deadline) override {
    HOLDFAST_RETURN_IF_ERROR(CheckName(name));
    HOLDFAST_RETURN_IF_ERROR(bucket_.Delete(KeyOf(name), deadline).WithContext(Doing("deleting", name)));
    return bucket_.AbortUploads(KeyOf(name), deadline).WithContext(Doing("deleting", name));
  }

 private:
  std::string KeyOf(const ObjectName& name) const { return root_ + Show(name); }
  std::string Doing(std::string_view what, const ObjectName& name) const {
    return fmt::format("{} {} in {}", what, Show(name), Describe());
  }

  void WarnOnce() {
    std::call_once(warned_, [this] {
      log::Warn(
          "the server of the backups has no conditional writes: instances that make one backup at the very same "
          "moment may both make it",
          {{"target", Describe()}});
    });
  }

  const std::string root_;  // ends with '/'
  s3::Bucket bucket_;
  std::once_flag warned_;
};

}  // namespace

std::unique_ptr<Target> MakeS3Target(S3TargetOptions options, std::string store) {
  return std::make_unique<S3Target>(std::move(options), std::move(store));
}

}  // namespace holdfast::backup
