// A store on a backend in memory with checkpoints in a temporary folder, for tests.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "base/metrics/metrics.h"
#include "service/backends/memory/memory_backend.h"
#include "service/durability/checkpoints.h"
#include "service/storage/key_space.h"

namespace holdfast::durability {

constexpr BackoffPolicy kNoPauses{std::chrono::nanoseconds{1}, std::chrono::nanoseconds{1}, 0.0};

inline std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
inline void WriteFile(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

class StoreFixture : public testing::Test {
 protected:
  StoreFixture() {
    std::string name = (std::filesystem::temp_directory_path() / "holdfast-checkpoints-XXXXXX").string();
    EXPECT_NE(nullptr, ::mkdtemp(name.data()));
    folder_ = name;
    options_.directory = (folder_ / "checkpoints").string();
  }
  ~StoreFixture() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Checkpoints> Open(const std::shared_ptr<storage::Backend>& backend) {
    auto checkpoints = std::make_unique<Checkpoints>(backend, "main", options_, clock_, registry_);
    const Status recovered = checkpoints->Recover([] { return false; });
    EXPECT_TRUE(recovered.ok()) << recovered.error().ToString();
    return checkpoints;
  }
  std::unique_ptr<Checkpoints> Open() { return Open(backend_); }

  static std::string Key(const std::string& key, storage::Room room = storage::Room::kKeys,
                         const std::string& name_space = "default") {
    return storage::KeySpace("main", name_space).In(room).Wrap(key);
  }
  void Put(const std::string& key, const std::string& value) { Write(storage::Operation::Put(Key(key), value)); }
  void Delete(const std::string& key) { Write(storage::Operation::Delete(Key(key))); }
  void Write(const storage::Operation& operation) {
    ASSERT_TRUE(storage::ExecuteOne(*backend_, operation, Deadline::Infinite()).status.ok());
  }
  // Every row of the backend.
  std::map<std::string, std::string> Rows() {
    std::map<std::string, std::string> rows;
    const auto snapshot = backend_->OpenSnapshot(storage::KeyRange::All(), Deadline::Infinite()).value();
    for (auto some = snapshot->Next(Deadline::Infinite()); some.ok() && !some->empty();
         some = snapshot->Next(Deadline::Infinite())) {
      for (const storage::KeyedEntry& item : *some) rows[item.key] = item.entry->value;
    }
    return rows;
  }
  std::filesystem::path StoreFolder() const { return folder_ / "checkpoints" / "main"; }
  std::filesystem::path FileOf(const std::string& id) const { return StoreFolder() / (id + ".checkpoint"); }
  // But the lock, which stays.
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    if (!std::filesystem::exists(StoreFolder())) return names;
    for (const auto& entry : std::filesystem::directory_iterator(StoreFolder())) {
      if (entry.path().filename() != "lock") names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::filesystem::path folder_;
  CheckpointOptions options_;
  ManualClock clock_;
  metrics::Registry registry_;
  std::shared_ptr<storage::Backend> backend_ = storage::MakeMemoryBackend({}, clock_);
};

}  // namespace holdfast::durability
