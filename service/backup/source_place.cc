#include "service/backup/source_place.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "service/backup/read_only_target.h"

namespace holdfast::backup {
namespace {

constexpr char kSourceKeySetting[] = "backups.source.key_file";
constexpr std::size_t kMaxStoreBytes = 63;

// As the settings check a store's name: it becomes a part of a path.
bool CanBeStore(std::string_view name) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= kMaxStoreBytes && plain(name.front()) && plain(name.back()) &&
         std::all_of(name.begin(), name.end(), [plain](char c) { return plain(c) || c == '-' || c == '_'; });
}

BackupOptions ReadingOf(BackupOptions options) {
  options.key = options.source ? options.source->key : std::nullopt;
  options.key_setting = kSourceKeySetting;
  return options;
}

}  // namespace

Result<std::vector<StoredBackup>> SourceStore::List(Deadline deadline) const {
  HOLDFAST_ASSIGN_OR_RETURN(auto all, catalogue.List(deadline));
  if (!all.empty()) return all;
  return Error(ErrorCode::kNotFound,
               fmt::format("there are no backups of a store {} in {}, which backups.source names: it is the name that "
                           "the store has in the other deployment",
                           name, catalogue.target().Describe()));
}

SourcePlace::SourcePlace(OpenTarget open, const BackupOptions& options, const Clock& clock, metrics::Registry& registry)
    : open_(std::move(open)), options_(ReadingOf(options)), clock_(clock), registry_(registry) {}

Result<std::shared_ptr<SourceStore>> SourcePlace::Open(const std::string& store) const {
  if (!CanBeStore(store)) {
    return Error(ErrorCode::kInvalidArgument,
                 "source: the name of a store is 1 to 63 lower-case letters, digits, '-' and '_', and begins and ends "
                 "with a letter or digit");
  }
  const auto read_only = [this](const std::string& part) { return MakeReadOnlyTarget(open_(part)); };
  // Without a history nothing is shipped.
  return std::make_shared<SourceStore>(
      SourceStore{store, Catalogue(read_only(store), options_.key, options_.key_setting),
                  ChangeArchive({read_only(store + std::string(kChangesSuffix)), nullptr}, store, "", options_, clock_,
                                registry_)});
}

}  // namespace holdfast::backup
