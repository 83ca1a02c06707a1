#include "service/settings_rocksdb.h"

#include <fmt/format.h>

#include <filesystem>

#include "service/setting_values.h"
#include "service/settings_compression.h"

namespace holdfast::service {

storage::RocksDbOptions DefaultRocksDb(const config::Settings& settings, std::string_view path,
                                       const storage::Limits& limits) {
  storage::RocksDbOptions options;
  options.path = (std::filesystem::path(settings.String("data_dir")) / path).string();
  options.limits = limits;
  return options;
}

storage::RocksDbOptions RocksDbOf(const config::Settings& settings, const std::string& name,
                                  const storage::Limits& limits, std::vector<config::Problem>* problems) {
  const auto row = [&](std::string_view of) { return fmt::format("backends.{}.{}", name, of); };
  const std::string path = settings.String(row("path"));
  storage::RocksDbOptions options = DefaultRocksDb(settings, path.empty() ? name : path, limits);
  options.lock_wait = Time(settings, row("lock_wait"));
  options.durability =
      Chosen<storage::Durability>(settings.String(row("durability")), {{"sync", storage::Durability::kSync},
                                                                       {"interval", storage::Durability::kInterval},
                                                                       {"os", storage::Durability::kOs}});
  options.sync_interval = Time(settings, row("sync_interval"));
  options.cache_size = settings.Bytes(row("cache_size"));
  options.entry_cache_size = settings.Bytes(row("entry_cache_size"));
  options.compression = CompressionOf(settings, name, compression::Codec::kLz4, problems);
  options.block_size = settings.Bytes(row("block_size"));
  options.bloom_bits = static_cast<int>(settings.Integer(row("bloom_bits")));
  options.background_bytes_per_second = settings.Bytes(row("background_rate"));
  options.max_open_files = static_cast<int>(settings.Integer(row("max_open_files")));
  options.write_buffer_size = settings.Bytes(row("write_buffer_size"));
  options.max_write_buffers = static_cast<int>(settings.Integer(row("max_write_buffers")));
  options.max_log_size = settings.Bytes(row("max_log_size"));
  options.background_threads = static_cast<int>(settings.Integer(row("background_threads")));
  options.wal_recovery = Chosen<storage::WalRecovery>(
      settings.String(row("wal_recovery")),
      {{"refuse", storage::WalRecovery::kRefuse}, {"point_in_time", storage::WalRecovery::kPointInTime}});
  return options;
}

}  // namespace holdfast::service
