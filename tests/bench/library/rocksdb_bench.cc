// The rocksdb backend's get and put beside bare RocksDB with the same options, on the same disk, in turns within one
// run; then beside RocksDB's own benchmark, db_bench, which is a process of its own, one after the other.
//
//   bench_rocksdb FOLDER [--rounds N] [--entry-cache MIB]
//
// Prints rows for docs/performance.md and exits 0 whatever they say.
//
// Left out of bare RocksDB is what only ours needs: further column families, prefix extractor, expiry filter,
// statistics; its perf counters are off for both. What ours does more: a version and a header with a checksum of each
// entry (30 bytes of a row), preconditions, the old entry read before it is replaced. Both are given the same keys and
// values in the same order; every put replaces. Gets and unsynced puts are measured in processor time of the threads
// that call, which a busy machine changes little; synced puts, which acknowledge what was fsynced, in wall time; so is
// what stands beside db_bench, which tells no other.
#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/perf_level.h>
#include <rocksdb/table.h>
#include <time.h>

#include <algorithm>
#include <barrier>
#include <cstdlib>
#include <random>
#include <thread>

#include "service/backends/rocksdb/rocksdb_backend.h"
#include "tests/bench/library/db_bench.h"

namespace holdfast {
namespace {

using storage::Durability;
using storage::Operation;
using storage::OperationResult;
using storage::RocksDbOptions;

constexpr std::size_t kKeys = 100'000;
constexpr std::size_t kKeyBytes = 16;
constexpr std::size_t kValueBytes = 100;
constexpr std::size_t kRowBytes = 30;   // of ours beside the value
constexpr std::size_t kGets = 100'000;  // of each round
constexpr std::size_t kPuts = 30'000;
constexpr std::size_t kSyncPuts = 500;
constexpr std::size_t kCallsBesideDbBench = 200'000;

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

std::unique_ptr<storage::Backend> OpenOurs(RocksDbOptions options, const std::string& path, Durability durability) {
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

struct Row {
  std::string_view label;
  std::size_t threads;
  std::size_t calls;  // of each thread in a round, of either side
  clockid_t clock;
};

struct Times {
  double ours = 0;
  double bare = 0;
};

// Microseconds of a call, as the average of the threads, which run at the same time; each calls copies of its own, with
// other numbers. The sides take turns within the round, so that what else the machine does falls on both.
template <typename Ours, typename Bare>
Times Round(const Row& row, const Ours& ours, const Bare& bare) {
  constexpr std::size_t kTurns = 20;
  std::barrier turn(static_cast<std::ptrdiff_t>(row.threads));
  std::vector<Times> each(row.threads);
  std::vector<std::jthread> threads;
  for (std::size_t thread = 0; thread < row.threads; ++thread) {
    threads.emplace_back([&, thread] {
      rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
      Ours own_ours = ours;
      Bare own_bare = bare;
      const auto take_turn = [&](auto& call, std::size_t from, std::size_t to) {
        turn.arrive_and_wait();
        const double begin = Microseconds(row.clock);
        for (std::size_t i = from; i < to; ++i) call(thread * row.calls + i);
        return (Microseconds(row.clock) - begin) / static_cast<double>(row.calls);
      };
      for (std::size_t i = 0; i < kTurns; ++i) {
        const std::size_t from = row.calls * i / kTurns;
        const std::size_t to = row.calls * (i + 1) / kTurns;
        each[thread].ours += take_turn(own_ours, from, to);
        each[thread].bare += take_turn(own_bare, from, to);
      }
    });
  }
  threads.clear();
  Times average;
  for (const Times& times : each) {
    average.ours += times.ours / static_cast<double>(row.threads);
    average.bare += times.bare / static_cast<double>(row.threads);
  }
  return average;
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

void Print(std::string_view label, const std::vector<Times>& rounds) {
  std::vector<double> our_times;
  std::vector<double> bare_times;
  std::vector<double> ratios;
  for (const Times& times : rounds) {
    our_times.push_back(times.ours);
    bare_times.push_back(times.bare);
    ratios.push_back(times.bare / times.ours);
  }
  const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
  fmt::print("| {} | {:.2f} µs | {:.2f} µs | {:.2f} x ({:.2f}–{:.2f}) |\n", label, Median(our_times),
             Median(bare_times), Median(ratios), *least, *most);
}

template <typename Ours, typename Bare>
void Compare(const Row& row, int rounds, const Ours& ours, const Bare& bare) {
  std::vector<Times> times;
  for (int round = 0; round < rounds; ++round) times.push_back(Round(row, ours, bare));
  Print(fmt::format("{}, {} thread{}", row.label, row.threads, row.threads > 1 ? "s" : ""), times);
}

std::vector<std::string> Keys() {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < kKeys; ++i) keys.push_back(fmt::format("user:{:0{}}", i, kKeyBytes - 5));
  return keys;
}

// What db_bench does, through our backend: fill in order, overwrite at random, read at random.
DbBenchTimes LikeDbBench(const RocksDbOptions& options, const DbBenchRun& run) {
  const auto ours = OpenOurs(options, run.folder, Durability::kOs);
  const std::vector<std::string> keys = Keys();
  std::mt19937_64 random(1);
  const std::string value(run.value_bytes, 'v');
  Operation put = Operation::Put({}, value);
  OperationResult result;
  const auto execute = [&](const Operation& operation) {
    ours->Execute(std::span(&operation, 1), std::span(&result, 1), Deadline::Infinite());
    Check(result.status.ok(), "a call of ours");
  };
  const auto average = [](std::size_t calls, const auto& call) {
    const double begin = Microseconds(CLOCK_MONOTONIC);
    for (std::size_t i = 0; i < calls; ++i) call();
    return (Microseconds(CLOCK_MONOTONIC) - begin) / static_cast<double>(calls);
  };
  for (const std::string& key : keys) {
    put.key = key;
    execute(put);
  }
  DbBenchTimes times;
  times.put = average(run.puts, [&] {
    put.key = keys[random() % keys.size()];
    execute(put);
  });
  Operation get = Operation::Get({});
  times.get = average(run.gets, [&] {
    get.key = keys[random() % keys.size()];
    execute(get);
  });
  return times;
}

void CompareWithDbBench(const std::string& folder, int rounds, const RocksDbOptions& options) {
  std::vector<Times> puts;
  std::vector<Times> updates;
  std::vector<Times> gets;
  for (int round = 0; round < rounds; ++round) {
    DbBenchRun run{folder + "/db_bench", kKeys, kKeyBytes, kValueBytes, kCallsBesideDbBench, kCallsBesideDbBench};
    const auto theirs = RunDbBench(options, run);
    if (!theirs) {
      fmt::print(stderr, "bench_rocksdb: no figures of db_bench; apt-get install rocksdb-tools\n");
      return;
    }
    run.folder = fmt::format("{}/beside-db_bench-{}", folder, round);
    const DbBenchTimes ours = LikeDbBench(options, run);
    puts.push_back({ours.put, theirs->put});
    updates.push_back({ours.put, theirs->update});
    gets.push_back({ours.get, theirs->get});
  }
  fmt::print(
      "\n| the same, wall time, 1 thread | holdfast rocksdb | db_bench | ratio |\n"
      "|---|---:|---:|---:|\n");
  Print("get (readrandom)", gets);
  Print("put, sync off (overwrite)", puts);
  Print("the same (updaterandom, which reads first)", updates);
}

int Run(const std::string& folder, int rounds, const RocksDbOptions& options) {
  const auto ours = OpenOurs(options, folder + "/ours", Durability::kOs);
  const auto ours_synced = OpenOurs(options, folder + "/ours-synced", Durability::kSync);
  rocksdb::DB* opened = nullptr;
  Check(rocksdb::DB::Open(SameOptions(options), folder + "/bare", &opened).ok(), "opening bare RocksDB");
  const std::unique_ptr<rocksdb::DB> bare(opened);

  std::mt19937_64 random(1);
  const std::vector<std::string> keys = Keys();
  std::string value(kValueBytes, '\0');
  for (char& byte : value) byte = static_cast<char>(random() & 0xff);
  std::vector<std::size_t> order(kGets);
  for (std::size_t& index : order) index = random() % kKeys;

  // An operation and its result are used again, as the reader of a get uses its string again.
  const auto put_ours = [&](storage::Backend& backend) {
    return [&, put = Operation::Put({}, {}), result = OperationResult()](std::size_t i) mutable {
      put.key = keys[order[i % order.size()]];
      put.value = value;
      backend.Execute(std::span(&put, 1), std::span(&result, 1), Deadline::Infinite());
      Check(result.status.ok(), "a put of ours");
    };
  };
  const auto put_bare = [&](bool sync, const std::string& row) {
    return [&, sync](std::size_t i) {
      rocksdb::WriteOptions write;
      write.sync = sync;
      Check(bare->Put(write, keys[order[i % order.size()]], row).ok(), "a put of bare RocksDB");
    };
  };
  for (const std::string& key : keys) {
    Check(ExecuteOne(*ours, Operation::Put(key, value), Deadline::Infinite()).status.ok(), "a put of ours");
    Check(bare->Put(rocksdb::WriteOptions(), key, value).ok(), "a put of bare RocksDB");
  }

  fmt::print(
      "| 100 bytes, {} keys, in process | holdfast rocksdb | bare RocksDB | ratio |\n"
      "|---|---:|---:|---:|\n",
      kKeys);
  Compare(
      {"get", 1, kGets, CLOCK_THREAD_CPUTIME_ID}, rounds,
      [&, get = Operation::Get({}), result = OperationResult()](std::size_t i) mutable {
        get.key = keys[order[i]];
        ours->Execute(std::span(&get, 1), std::span(&result, 1), Deadline::Infinite());
        Check(result.entry && result.entry->value.size() == kValueBytes, "a get of ours");
      },
      [&, read = std::string()](std::size_t i) mutable {
        Check(bare->Get(rocksdb::ReadOptions(), keys[order[i]], &read).ok() && read.size() == kValueBytes,
              "a get of bare RocksDB");
      });
  for (const std::size_t threads : {1U, 2U}) {
    Compare({"put, sync off", threads, kPuts, CLOCK_THREAD_CPUTIME_ID}, rounds, put_ours(*ours),
            put_bare(false, value));
  }
  // What a put of ours answers (was there an entry, of which version) takes a look at the old row.
  Compare({"put, sync off, bare reads the old row first", 1, kPuts, CLOCK_THREAD_CPUTIME_ID}, rounds, put_ours(*ours),
          [&, put = put_bare(false, value), read = std::string()](std::size_t i) mutable {
            Check(bare->Get(rocksdb::ReadOptions(), keys[order[i % order.size()]], &read).ok(),
                  "a get of bare RocksDB");
            put(i);
          });
  const std::string large_row = value + std::string(kRowBytes, '\0');
  Compare({"put, sync off, bare rows as large as ours", 1, kPuts, CLOCK_THREAD_CPUTIME_ID}, rounds, put_ours(*ours),
          put_bare(false, large_row));
  Compare({"put, sync on", 1, kSyncPuts, CLOCK_MONOTONIC}, rounds, put_ours(*ours_synced), put_bare(true, value));
  Check(bare->Close().ok(), "closing bare RocksDB");
  CompareWithDbBench(folder, rounds, options);
  return 0;
}

}  // namespace
}  // namespace holdfast

int main(int argc, char** argv) {
  int rounds = 5;
  holdfast::storage::RocksDbOptions options;
  bool understood = argc >= 2 && argc % 2 == 0;
  for (int i = 2; understood && i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i];
    const int number = std::atoi(argv[i + 1]);
    understood = number >= 0 && (flag == "--rounds" || flag == "--entry-cache");
    if (flag == "--rounds") rounds = std::max(1, number);
    if (flag == "--entry-cache") options.entry_cache_size = static_cast<std::uint64_t>(number) << 20;
  }
  if (!understood) {
    fmt::print(stderr, "Usage: bench_rocksdb FOLDER [--rounds N] [--entry-cache MIB]\n");
    return 2;
  }
  return holdfast::Run(argv[1], rounds, options);
}
