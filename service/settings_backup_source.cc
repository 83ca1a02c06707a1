#include "service/settings_backup_source.h"

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "service/setting_rows.h"
#include "service/settings_backups_s3.h"

namespace holdfast::service {
namespace {

constexpr char kDirectory[] = "backups.source.directory";
constexpr char kKeyFile[] = "backups.source.key_file";

std::optional<backup::SourceOptions> ReadSource(const config::Settings& settings,
                                                std::vector<config::Problem>* problems) {
  backup::SourceOptions source;
  const std::string directory = settings.String(kDirectory);
  if (!directory.empty()) {
    source.directory = (std::filesystem::path(settings.String("data_dir")) / directory).string();
  }
  source.s3 = ReadSourceS3(settings, problems);
  const std::string key_file = settings.String(kKeyFile);
  if (!source.s3 && directory.empty()) {
    if (!key_file.empty()) {
      problems->push_back({std::string("setting ") + kKeyFile,
                           "is the key of backups that lie nowhere; set backups.source.directory or "
                           "backups.source.s3.endpoint too"});
    }
    return std::nullopt;
  }
  if (key_file.empty()) return source;
  auto key = backup::ReadKeyFile(key_file);
  if (key.ok()) {
    source.key = std::move(key).value();
  } else {
    problems->push_back({std::string("setting ") + kKeyFile, key.error().message()});
  }
  return source;
}

}  // namespace

void AddBackupSource(std::vector<config::Setting>* rows) {
  rows->insert(rows->end(),
               {
                   Text(kDirectory, "",
                        "Folder of the backups of another deployment, its backups.directory, from which stores here "
                        "can be restored (holdfast backup restore --source STORE). Nothing there is ever changed: it "
                        "may be mounted read-only. Relative to data_dir. Empty = there is none."),
                   Text(kKeyFile, "",
                        "File with the key that they are encrypted with, as backups.key_file there. Empty = they are "
                        "not encrypted."),
               });
  AddSourceS3(rows);
}

void ReadBackupSource(const config::Settings& settings, ServiceSettings* result,
                      std::vector<config::Problem>* problems) {
  const auto source = ReadSource(settings, problems);
  for (StoreSettings& store : result->stores) store.backups.source = source;
}

}  // namespace holdfast::service
