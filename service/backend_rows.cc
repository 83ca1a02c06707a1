#include "service/backend_rows.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "service/settings_memory.h"
#include "service/settings_postgres.h"
#include "service/settings_redis.h"

namespace holdfast::service {
namespace {

using Rows = std::span<const std::string_view>;

constexpr std::string_view kOfRocksDb[] = {"path",
                                           "lock_wait",
                                           "durability",
                                           "sync_interval",
                                           "cache_size",
                                           "entry_cache_size",
                                           "compression",
                                           "compression_level",
                                           "block_size",
                                           "bloom_bits",
                                           "max_open_files",
                                           "write_buffer_size",
                                           "max_write_buffers",
                                           "compression_threshold",
                                           "max_log_size",
                                           "background_rate",
                                           "archived_log_size",
                                           "wal_recovery",
                                           "background_threads"};

}  // namespace

std::vector<std::string_view> RowsOfOtherTypes(std::string_view type) {
  const std::array<std::pair<std::string_view, Rows>, 4> types = {
      {{"memory", MemoryRows()}, {"rocksdb", kOfRocksDb}, {"postgres", PostgresRows()}, {"redis", RedisRows()}}};
  Rows own;
  for (const auto& [name, rows] : types) {
    if (name == type) own = rows;
  }
  std::vector<std::string_view> others;
  const auto known = [&](std::string_view row) {
    return std::find(own.begin(), own.end(), row) != own.end() ||
           std::find(others.begin(), others.end(), row) != others.end();
  };
  for (const auto& [name, rows] : types) {
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(others),
                 [&](std::string_view row) { return !known(row); });
  }
  return others;
}

}  // namespace holdfast::service
