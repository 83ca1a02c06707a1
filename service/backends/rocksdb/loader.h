// Writes many entries at once past the log: into table files, which become part of the database in one synced step.
// That spares the log, the memtables and their flushes, which are most of what a put in a large batch costs.
//
// The keys are read and the files made without locking anything. A watch says whether somebody has written one of the
// keys meanwhile. If not, the outcome was decided as if now: all keys are locked for the moment in which the files are
// taken in and the listener is told.
//
// A crash leaves all of a load or nothing of it. Half-made files in the folder `loading` go at the next start. The log
// does not hold what was loaded, so there is no loading where the log is the change history (log_history.h); and a
// process without that says in the log that it has begun to load, so that one that has it again records a gap.
#pragma once

#include <atomic>
#include <mutex>
#include <span>

#include "service/backends/rocksdb/table_file.h"
#include "service/backends/rocksdb/writer.h"

namespace holdfast::storage {

// What Load is best given: with fewer, the database has more files, each with its own syncs.
inline constexpr std::size_t kLoadOperations = 32'768;
// With fewer the log is cheaper.
inline constexpr std::size_t kLeastLoadOperations = 1'000;
// Of files that compactions have not come to yet; beyond, what is written has to pass the log, where RocksDB slows it.
// At 36 it stops writes of others.
inline constexpr int kMostNewFiles = 30;

// Thread-safe.
class Loader {
 public:
  // All of them outlive it.
  Loader(Database& database, EntryCache& cache, const Reader& reader, VersionSource& versions, Writer& writer,
         const RocksDbOptions& options, const Clock& clock)
      : database_(database),
        cache_(cache),
        reader_(reader),
        versions_(versions),
        writer_(writer),
        options_(options),
        clock_(clock) {}

  // False: not here.
  bool enabled() const { return options_.archived_log_size == 0; }
  // As Backend::Load. False: nothing was done and it is the writer's: too few, not in their order, not all of them
  // valid writes; or one of the keys was written meanwhile, the files cannot be made, or compactions are far behind.
  bool Load(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline);
  // As of Writer.
  std::uint64_t value_bytes() const { return value_bytes_.load(std::memory_order_relaxed); }
  std::uint64_t compressed_bytes() const { return compressed_bytes_.load(std::memory_order_relaxed); }

 private:
  struct Row;
  class Files;

  bool Pays(std::span<const Operation> operations) const;
  // Compactions do not keep up.
  bool IsBehind() const;
  // Decides every operation and makes the files; of what changes. nullopt: a key cannot be read, or a file not written.
  std::optional<std::vector<Row>> Make(std::span<const Operation> operations, std::span<OperationResult> results,
                                       Files* files) const;
  // Flushes what the database would have to flush while everyone waits: what lies in memory between two keys.
  void FlushBetween(rocksdb::ColumnFamilyHandle* family, std::string_view first, std::string_view last) const;
  // Once, that from now on the log does not hold every change; and makes the folder.
  Status SayInLog();
  void Tell(std::span<const Row> rows) const;

  Database& database_;
  EntryCache& cache_;
  const Reader& reader_;
  VersionSource& versions_;
  Writer& writer_;
  const RocksDbOptions& options_;
  const Clock& clock_;
  std::atomic<std::uint64_t> next_file_{1};
  std::atomic<std::uint64_t> value_bytes_{0};
  std::atomic<std::uint64_t> compressed_bytes_{0};
  std::mutex log_mutex_;
  bool said_in_log_ = false;  // guarded by log_mutex_
};

}  // namespace holdfast::storage
