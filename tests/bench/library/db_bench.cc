#include "tests/bench/library/db_bench.h"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace holdfast {
namespace {

constexpr double kHighPriorityShare = 0.3;

std::string CommandLine(const storage::RocksDbOptions& options, const DbBenchRun& run) {
  return fmt::format(
      "db_bench --benchmarks=fillseq,overwrite,readrandom,fillseq,updaterandom --db={} --num={} --writes={} --reads={} "
      "--key_size={} "
      "--value_size={} --threads=1 --histogram=0 --progress_reports=0 --perf_level=1 --compression_type=lz4 "
      "--cache_size={} --cache_high_pri_pool_ratio={} --block_size={} --bloom_bits={} "
      "--cache_index_and_filter_blocks=true --pin_l0_filter_and_index_blocks_in_cache=true --format_version=5 "
      "--use_data_block_hash_index=true --optimize_filters_for_memory=true --write_buffer_size={} "
      "--max_write_buffer_number={} --level_compaction_dynamic_level_bytes=true --memtable_bloom_size_ratio=0.02 "
      "--memtable_whole_key_filtering=true --open_files={} --max_background_jobs={} --max_total_wal_size={} "
      "--track_and_verify_wals_in_manifest=true --stats_dump_period_sec=0 --stats_persist_period_sec=0 2>/dev/null",
      run.folder, run.keys, run.puts, run.gets, run.key_bytes, run.value_bytes, options.cache_size, kHighPriorityShare,
      options.block_size, options.bloom_bits, options.write_buffer_size, options.max_write_buffers,
      options.max_open_files, options.background_threads, options.max_log_size);
}

// "overwrite    :       5.469 micros/op 182815 ops/sec ..."
std::optional<double> MicrosecondsOf(const std::string& text, const std::string& benchmark) {
  const std::size_t line = text.find("\n" + benchmark + " ");
  const std::size_t colon = line == std::string::npos ? line : text.find(':', line);
  if (colon == std::string::npos) return std::nullopt;
  char* end = nullptr;
  const double number = std::strtod(text.c_str() + colon + 1, &end);
  return std::string_view(end).starts_with(" micros/op") ? std::optional(number) : std::nullopt;
}

}  // namespace

std::optional<DbBenchTimes> RunDbBench(const storage::RocksDbOptions& options, const DbBenchRun& run) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(CommandLine(options, run).c_str(), "r"), pclose);
  if (pipe == nullptr) return std::nullopt;
  std::string text;
  std::array<char, 4096> piece{};
  while (const std::size_t size = std::fread(piece.data(), 1, piece.size(), pipe.get()))
    text.append(piece.data(), size);
  const auto put = MicrosecondsOf(text, "overwrite");
  const auto get = MicrosecondsOf(text, "readrandom");
  const auto update = MicrosecondsOf(text, "updaterandom");
  if (!put || !get || !update) return std::nullopt;
  return DbBenchTimes{*put, *get, *update};
}

}  // namespace holdfast
