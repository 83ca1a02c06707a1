#include "service/backup_scratch.h"

#include <fmt/format.h>

#include <filesystem>

#include "service/backends/memory/memory_backend.h"
#include "service/backends/rocksdb/rocksdb_backend.h"

namespace holdfast::service {
namespace {

using storage::Backend;

class MemoryPlace final : public backup::ScratchPlace {
 public:
  explicit MemoryPlace(std::uint64_t bytes) : bytes_(bytes) {}

  Result<std::unique_ptr<Backend>> Open(const storage::Limits& limits, const Clock& clock) override {
    storage::MemoryOptions options;
    options.limits = limits;
    options.max_bytes = bytes_;
    return storage::MakeMemoryBackend(options, clock);
  }
  Status Clear() override { return {}; }

 private:
  const std::uint64_t bytes_;
};

class RocksDbPlace final : public backup::ScratchPlace {
 public:
  explicit RocksDbPlace(std::filesystem::path path) : path_(std::move(path)) {}

  Result<std::unique_ptr<Backend>> Open(const storage::Limits& limits, const Clock& clock) override {
    std::error_code error;
    std::filesystem::create_directories(path_.parent_path(), error);
    if (error) return Failed("cannot be made", error);
    storage::RocksDbOptions options;
    options.path = path_.string();
    options.limits = limits;
    // Nobody needs it after a crash, and the store's own caches are not to be halved.
    constexpr std::uint64_t kCache = std::uint64_t{8} << 20;
    options.durability = storage::Durability::kOs;
    options.cache_size = kCache;
    options.entry_cache_size = 0;
    options.write_buffer_size = 2 * kCache;
    options.background_threads = 1;
    return storage::OpenRocksDbBackend(options, clock);
  }

  Status Clear() override {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
    return error ? Failed("cannot be cleared", error) : Status();
  }

 private:
  Error Failed(std::string_view what, const std::error_code& error) const {
    return {ErrorCode::kUnavailable, fmt::format("{}, where drills restore to, {}: {}; see backups.drill_directory",
                                                 path_.string(), what, error.message())};
  }

  const std::filesystem::path path_;
};

}  // namespace

std::unique_ptr<backup::ScratchPlace> MakeScratchPlace(const backup::DrillOptions& options, const std::string& store) {
  if (options.in_memory) return std::make_unique<MemoryPlace>(options.memory);
  return std::make_unique<RocksDbPlace>(std::filesystem::path(options.directory) / store);
}

}  // namespace holdfast::service
