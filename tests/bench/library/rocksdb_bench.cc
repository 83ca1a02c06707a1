// The rocksdb backend's get and put beside bare RocksDB with the same options, on the same disk, in turns within one
// run.
//
//   bench_rocksdb FOLDER [--rounds N]    prints rows for docs/performance.md and exits 0 whatever they say
//
// Left out of bare RocksDB is what only ours needs: further column families, prefix extractor, expiry filter,
// statistics. What ours does more: a version and a header with a checksum of each entry, preconditions, the old entry
// read before it is replaced. One thread. Gets and unsynced puts are measured in its processor time, which a busy
// machine changes little; synced puts, which acknowledge what was fsynced, in wall time.
#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <random>

#include "service/backends/rocksdb/rocksdb_backend.h"

namespace holdfast {
namespace {

using storage::Durability;
using storage::Operation;
using storage::OperationResult;
using storage::RocksDbOptions;

constexpr std::size_t kKeys = 100'000;
constexpr std::size_t kValueBytes = 100;
constexpr std::size_t kGets = 100'000;  // of each round
constexpr std::size_t kPuts = 30'000;
constexpr std::size_t kSyncPuts = 500;

void Check(bool right, std::string_view what) {
  if (right) return;
  fmt::print(stderr, "bench_rocksdb: {} failed\n", what);
  std::exit(1);
}

// Ours, as service/backends/rocksdb/database.cc sets them for the default options.
rocksdb::Options SameOptions(const RocksDbOptions& ours) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(ours.cache_size, -1, false, 0.3);
  table.block_size = ours.block_size;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(ours.bloom_bits));
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.format_version = 5;
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  table.optimize_filters_for_memory = true;
  rocksdb::Options options;
  options.create_if_missing = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size = ours.write_buffer_size;
  options.max_write_buffer_number = ours.max_write_buffers;
  options.compression = rocksdb::kLZ4Compression;
  options.level_compaction_dynamic_level_bytes = true;
  options.memtable_prefix_bloom_size_ratio = 0.02;
  options.memtable_whole_key_filtering = true;
  options.max_open_files = ours.max_open_files;
  options.max_background_jobs = ours.background_threads;
  options.max_total_wal_size = ours.max_log_size;
  options.track_and_verify_wals_in_manifest = true;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

std::unique_ptr<storage::Backend> OpenOurs(const std::string& path, Durability durability) {
  RocksDbOptions options;
  options.path = path;
  options.durability = durability;
  auto opened = storage::OpenRocksDbBackend(options);
  if (!opened.ok()) fmt::print(stderr, "{}\n", opened.error().message());
  Check(opened.ok(), "opening ours");
  return std::move(opened).value();
}

double Microseconds(clockid_t clock) {
  timespec now{};
  Check(::clock_gettime(clock, &now) == 0, "reading a clock");
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

double MicrosecondsEach(clockid_t clock, std::size_t count, const std::function<void(std::size_t)>& call) {
  const double start = Microseconds(clock);
  for (std::size_t i = 0; i < count; ++i) call(i);
  return (Microseconds(clock) - start) / static_cast<double>(count);
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

void Compare(std::string_view label, clockid_t clock, int rounds, std::size_t count,
             const std::function<void(std::size_t)>& ours, const std::function<void(std::size_t)>& bare) {
  std::vector<double> our_times;
  std::vector<double> bare_times;
  std::vector<double> ratios;
  for (int round = 0; round < rounds; ++round) {
    our_times.push_back(MicrosecondsEach(clock, count, ours));
    bare_times.push_back(MicrosecondsEach(clock, count, bare));
    ratios.push_back(bare_times.back() / our_times.back());
  }
  const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
  fmt::print("| {} | {:.2f} µs | {:.2f} µs | {:.2f} x ({:.2f}–{:.2f}) |\n", label, Median(our_times),
             Median(bare_times), Median(ratios), *least, *most);
}

int Run(const std::string& folder, int rounds) {
  const auto ours = OpenOurs(folder + "/ours", Durability::kOs);
  const auto ours_synced = OpenOurs(folder + "/ours-synced", Durability::kSync);
  rocksdb::DB* opened = nullptr;
  Check(rocksdb::DB::Open(SameOptions({}), folder + "/bare", &opened).ok(), "opening bare RocksDB");
  const std::unique_ptr<rocksdb::DB> bare(opened);

  std::mt19937_64 random(1);
  std::vector<std::string> keys;
  std::string value(kValueBytes, '\0');
  for (char& byte : value) byte = static_cast<char>(random() & 0xff);
  for (std::size_t i = 0; i < kKeys; ++i) keys.push_back(fmt::format("user:{:08}", i));
  std::vector<std::size_t> order(kGets);
  for (std::size_t& index : order) index = random() % kKeys;

  const auto put_ours = [&](storage::Backend& backend, std::size_t key) {
    Check(ExecuteOne(backend, Operation::Put(keys[key], value), Deadline::Infinite()).status.ok(), "a put of ours");
  };
  const auto put_bare = [&](std::size_t key, bool sync) {
    rocksdb::WriteOptions options;
    options.sync = sync;
    Check(bare->Put(options, keys[key], value).ok(), "a put of bare RocksDB");
  };
  for (std::size_t key = 0; key < kKeys; ++key) {
    put_ours(*ours, key);
    put_bare(key, false);
  }

  fmt::print(
      "| 100 bytes, {} keys, in process, one thread | holdfast rocksdb | bare RocksDB | ratio |\n"
      "|---|---:|---:|---:|\n",
      kKeys);
  OperationResult result;
  Operation get = Operation::Get({});
  std::string read;
  Compare(
      "get", CLOCK_THREAD_CPUTIME_ID, rounds, kGets,
      [&](std::size_t i) {
        get.key = keys[order[i]];
        ours->Execute(std::span(&get, 1), std::span(&result, 1), Deadline::Infinite());
        Check(result.entry && result.entry->value.size() == kValueBytes, "a get of ours");
      },
      [&](std::size_t i) {
        Check(bare->Get(rocksdb::ReadOptions(), keys[order[i]], &read).ok() && read.size() == kValueBytes,
              "a get of bare RocksDB");
      });
  Compare(
      "put, sync off", CLOCK_THREAD_CPUTIME_ID, rounds, kPuts, [&](std::size_t i) { put_ours(*ours, order[i]); },
      [&](std::size_t i) { put_bare(order[i], false); });
  Compare(
      "put, sync on", CLOCK_MONOTONIC, rounds, kSyncPuts, [&](std::size_t i) { put_ours(*ours_synced, order[i]); },
      [&](std::size_t i) { put_bare(order[i], true); });
  Check(bare->Close().ok(), "closing bare RocksDB");
  return 0;
}

}  // namespace
}  // namespace holdfast

int main(int argc, char** argv) {
  if (argc != 2 && !(argc == 4 && std::string_view(argv[2]) == "--rounds")) {
    fmt::print(stderr, "Usage: bench_rocksdb FOLDER [--rounds N]\n");
    return 2;
  }
  return holdfast::Run(argv[1], argc == 4 ? std::max(1, std::atoi(argv[3])) : 5);
}
