// A store on a backend in memory, with checkpoints and backups in a temporary folder, for tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "service/backup/backups.h"
#include "service/backup/folder_target.h"
#include "tests/unit/service/durability/file_size_limit.h"
#include "tests/unit/service/durability/store_fixture.h"

namespace holdfast::backup {

inline BackupKey KeyOf(char byte) {
  BackupKey key{};
  key.fill(byte);
  return key;
}

class BackupFixture : public durability::StoreFixture {
 protected:
  BackupFixture() {
    // Some objects for a few entries.
    backup_options_.create.object_bytes = 200;
    backup_options_.create.writer.threads = 1;
  }

  std::shared_ptr<Target> OpenTarget() const { return MakeFolderTarget((folder_ / "backups").string(), "main"); }
  Catalogue OpenCatalogue() const { return {OpenTarget(), backup_options_.key}; }
  std::unique_ptr<Backups> OpenBackups(std::shared_ptr<Target> target = nullptr) {
    if (!target) target = OpenTarget();
    return std::make_unique<Backups>(Source{backend_, "main"}, std::move(target), checkpoints(), backup_options_,
                                     clock_, registry_);
  }
  const std::shared_ptr<durability::Checkpoints>& checkpoints() {
    if (!checkpoints_) checkpoints_ = Open();
    return checkpoints_;
  }

  // What came of it.
  static storage::BackupRun Do(Backups& backups, storage::BackupAction action, const std::string& id = "") {
    return Await(backups, backups.Begin(action, id));
  }
  static storage::BackupRun Await(Backups& backups, const Result<storage::BackupRun>& run) {
    EXPECT_TRUE(run.ok()) << (run.ok() ? "" : run.error().ToString());
    if (!run.ok()) return {};
    const Deadline patience = Deadline::After(std::chrono::minutes{1});
    while (!patience.Expired()) {
      auto now = backups.FindRun(run->id);
      if (!now.ok() || now->finished_at) return now.ok() ? *now : storage::BackupRun{};
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    ADD_FAILURE() << "the run does not end";
    return *run;
  }
  static storage::BackupRun Create(Backups& backups, const std::string& id = "") {
    return Do(backups, storage::BackupAction::kCreate, id);
  }
  static std::string ErrorOf(const storage::BackupRun& run) { return run.error ? run.error->ToString() : ""; }
  static ErrorCode CodeOf(const storage::BackupRun& run) {
    EXPECT_TRUE(run.error) << "it did not fail";
    return run.error ? run.error->code() : ErrorCode::kInternal;
  }

  // All of it, as a verification or a restore reads it.
  Status Read(const std::string& id) const {
    const Catalogue catalogue = OpenCatalogue();
    HOLDFAST_ASSIGN_OR_RETURN(const Chain chain, OpenChain(catalogue, id, Deadline::Infinite()));
    Work work({}, Deadline::Infinite(), {});
    return ReadAll(chain, catalogue.target(), work);
  }

  std::filesystem::path BackupFolder(const std::string& id) const { return folder_ / "backups" / "main" / id; }
  // Names of the files of a backup, in order.
  std::vector<std::string> FilesOf(const std::string& id) const {
    std::vector<std::string> names;
    if (!std::filesystem::exists(BackupFolder(id))) return names;
    for (const auto& entry : std::filesystem::directory_iterator(BackupFolder(id))) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  static std::vector<std::string> IdsOf(const std::vector<storage::BackupInfo>& infos) {
    std::vector<std::string> ids;
    for (const storage::BackupInfo& info : infos) ids.push_back(info.id);
    return ids;
  }
  void PutSome(const std::string& value) {
    for (std::uint32_t i = 0; i < 4; ++i) Put("k" + std::to_string(i), value + durability::Noise(100, i));
  }

  BackupOptions backup_options_;

 private:
  std::shared_ptr<durability::Checkpoints> checkpoints_;
};

}  // namespace holdfast::backup
