#include "service/backends/rocksdb/database.h"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/rate_limiter.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include "base/log/log.h"
#include "base/time/deadline.h"
#include "service/backends/rocksdb/directory.h"
#include "service/backends/rocksdb/key_space_prefix.h"
#include "service/backends/rocksdb/rocksdb_error.h"
#include "service/backends/rocksdb/table_file.h"

namespace holdfast::storage {
namespace {

constexpr std::chrono::milliseconds kLockPoll{200};
constexpr char kFormatRow[] = "format";
constexpr char kFormat[] = "1";
constexpr char kOwnerRow[] = "owner";
constexpr char kOwner[] = "holdfast";

constexpr std::array<const char*, 3> kColumnFamilies = {"default", "expiry", "holdfast"};

rocksdb::CompressionType CompressionType(compression::Codec codec) {
  switch (codec) {
    case compression::Codec::kNone:
      return rocksdb::kNoCompression;
    case compression::Codec::kLz4:
      return rocksdb::kLZ4Compression;
    case compression::Codec::kSnappy:
      return rocksdb::kSnappyCompression;
    case compression::Codec::kZstd:
      return rocksdb::kZSTD;
  }
  return rocksdb::kNoCompression;
}

rocksdb::WALRecoveryMode RecoveryMode(WalRecovery recovery) {
  // RocksDB's own default, point in time, stops at the first damaged record without a word and so drops acknowledged
  // writes behind it. This mode drops only a last record that was cut short, which nobody was told about.
  return recovery == WalRecovery::kPointInTime ? rocksdb::WALRecoveryMode::kPointInTimeRecovery
                                               : rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
}

class CompactionCounter : public rocksdb::EventListener {
 public:
  explicit CompactionCounter(std::shared_ptr<std::atomic<std::uint64_t>> compactions)
      : compactions_(std::move(compactions)) {}
  void OnCompactionCompleted(rocksdb::DB* /*db*/, const rocksdb::CompactionJobInfo& info) override {
    if (info.status.ok()) compactions_->fetch_add(1, std::memory_order_relaxed);
  }

 private:
  const std::shared_ptr<std::atomic<std::uint64_t>> compactions_;
};

rocksdb::DBOptions DatabaseOptions(const RocksDbOptions& options, const Database& database) {
  rocksdb::DBOptions db;
  db.env = database.env.get();
  db.statistics = database.block_cache;
  if (options.background_bytes_per_second > 0) {
    db.rate_limiter.reset(
        rocksdb::NewGenericRateLimiter(static_cast<std::int64_t>(options.background_bytes_per_second)));
  }
  db.create_if_missing = true;
  db.create_missing_column_families = true;
  db.paranoid_checks = true;
  db.wal_recovery_mode = RecoveryMode(options.wal_recovery);
  // A whole log gone missing would not be noticed by the modes above.
  db.track_and_verify_wals_in_manifest = true;
  db.recycle_log_file_num = 0;      // remains of an older log would look like a record cut short
  db.max_bgerror_resume_count = 0;  // WriteGate decides when to go on
  db.max_open_files = options.max_open_files;
  db.max_background_jobs = options.background_threads;
  db.max_total_wal_size = options.max_log_size;
  if (options.archived_log_size > 0) {
    constexpr std::uint64_t kMi = 1u << 20;
    db.WAL_size_limit_MB = std::max<std::uint64_t>(1, options.archived_log_size / kMi);
  }
  db.keep_log_file_num = 4;
  db.max_log_file_size = 4u << 20;
  db.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  db.listeners.push_back(ListenForErrors(database.gate));
  db.listeners.push_back(std::make_shared<CompactionCounter>(database.compactions));
  return db;
}

rocksdb::ColumnFamilyOptions FamilyOptions(const RocksDbOptions& options,
                                           const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = options.block_size;
  if (options.bloom_bits > 0) table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(options.bloom_bits));
  // Inside the cache, so that cache_size bounds all of it however large the database grows.
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.format_version = 5;
  // A get finds its row in a block by hash instead of by halving; costs about a byte a key.
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  table.optimize_filters_for_memory = true;
  rocksdb::ColumnFamilyOptions family;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  family.write_buffer_size = options.write_buffer_size;
  family.max_write_buffer_number = options.max_write_buffers;
  family.compression = CompressionType(options.compression.codec);
  if (options.compression.level > 0) family.compression_opts.level = options.compression.level;
  family.level_compaction_dynamic_level_bytes = true;
  return family;
}

std::vector<rocksdb::ColumnFamilyDescriptor> Families(const RocksDbOptions& options, const Clock& clock,
                                                      std::shared_ptr<SweptUntil> swept,
                                                      std::shared_ptr<std::atomic<std::uint64_t>> dropped) {
  const std::shared_ptr<rocksdb::Cache> cache =
      rocksdb::NewLRUCache(options.cache_size, -1, /*strict_capacity_limit=*/false, /*high_pri_pool_ratio=*/0.3);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const char* name : kColumnFamilies) families.emplace_back(name, FamilyOptions(options, cache));
  families[0].options.prefix_extractor = KeySpaceTransform();
  families[0].options.memtable_prefix_bloom_size_ratio = 0.02;
  families[0].options.memtable_whole_key_filtering = true;
  families[0].options.compaction_filter_factory = MakeExpiryFilterFactory(clock, std::move(swept), std::move(dropped));
  for (std::size_t i = 1; i < families.size(); ++i) {
    families[i].options.write_buffer_size = std::min<std::uint64_t>(options.write_buffer_size, 8u << 20);
  }
  return families;
}

Error NotOurs(const std::string& path) {
  return {ErrorCode::kFailedPrecondition,
          fmt::format("{} holds a database of another program, nothing was changed in it: give this backend a path of "
                      "its own",
                      path)};
}

// Before anything is opened for writing, which would add our column families to a stranger's database.
Status CheckFamilies(const RocksDbOptions& options, rocksdb::Env* env) {
  rocksdb::Options plain;
  plain.env = env;
  std::vector<std::string> names;
  const rocksdb::Status listed = rocksdb::DB::ListColumnFamilies(plain, options.path, &names);
  if (!listed.ok()) return OpenError(listed, options.path);
  for (const std::string& name : names) {
    if (std::find(kColumnFamilies.begin(), kColumnFamilies.end(), name) == kColumnFamilies.end()) {
      return NotOurs(options.path);
    }
  }
  if (std::find(names.begin(), names.end(), "holdfast") != names.end()) return {};

  // Either a stranger's, or our own whose very first start was cut short: then it is empty.
  plain.create_if_missing = false;
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status open = rocksdb::DB::OpenForReadOnly(plain, options.path, &opened);
  const std::unique_ptr<rocksdb::DB> db(opened);
  if (!open.ok()) return OpenError(open, options.path);
  const std::unique_ptr<rocksdb::Iterator> rows(db->NewIterator(rocksdb::ReadOptions()));
  rows->SeekToFirst();
  if (rows->Valid()) return NotOurs(options.path);
  if (!rows->status().ok()) return OpenError(rows->status(), options.path);
  return {};
}

Result<std::optional<std::string>> ReadRow(Database& database, const char* row) {
  std::string value;
  const rocksdb::Status status = database.db->Get(rocksdb::ReadOptions(), database.holdfast, row, &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return ReadError(status);
  return std::optional(std::move(value));
}

Status CheckFormat(Database& database, const std::string& path) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::optional<std::string> owner, ReadRow(database, kOwnerRow));
  HOLDFAST_ASSIGN_OR_RETURN(const std::optional<std::string> format, ReadRow(database, kFormatRow));
  if (!owner && !format) {
    const std::unique_ptr<rocksdb::Iterator> rows(database.db->NewIterator(rocksdb::ReadOptions(), database.entries));
    rows->SeekToFirst();
    if (rows->Valid()) return NotOurs(path);
    if (!rows->status().ok()) return ReadError(rows->status());
    rocksdb::WriteBatch batch;
    batch.Put(database.holdfast, kOwnerRow, kOwner);
    batch.Put(database.holdfast, kFormatRow, kFormat);
    return database.gate->Write(*database.db, batch, /*sync=*/true);
  }
  if (owner != kOwner) return NotOurs(path);
  if (format != kFormat) {
    return Error(ErrorCode::kFailedPrecondition,
                 fmt::format("{} has format {}, this program reads format {}: run the version of holdfast that wrote "
                             "it, or restore a backup into another path",
                             path, format.value_or("none"), kFormat));
  }
  return {};
}

}  // namespace

Database::~Database() {
  Status closed = Close();
  if (!closed.ok()) log::Error("rocksdb did not close cleanly", {{"error", closed.error().message()}});
}

Status Database::Close() {
  if (!db) return {};
  // A log that failed is not touched again; what it holds back is reported.
  std::optional<Error> shut = gate->Shut();
  Status synced = shut ? Status(*std::move(shut)) : gate->SyncLog(*db, holdfast);
  for (rocksdb::ColumnFamilyHandle* family : {entries, expiry, holdfast}) {
    if (family != nullptr) db->DestroyColumnFamilyHandle(family);
  }
  entries = expiry = holdfast = nullptr;
  const rocksdb::Status closed = db->Close();
  db.reset();
  HOLDFAST_RETURN_IF_ERROR(std::move(synced).WithContext("closing rocksdb"));
  if (!closed.ok()) {
    return Error(ErrorCode::kUnavailable, fmt::format("closing rocksdb failed, check the disk: {}", closed.ToString()));
  }
  return {};
}

void WaitUntilFree(const RocksDbOptions& options, rocksdb::FileSystem& file_system, const std::function<bool()>& stop) {
  const Result<bool> exists = HasDatabase(options.path);
  if (!exists.ok() || !*exists) return;
  const Deadline deadline = Deadline::After(options.lock_wait);
  // Opening itself is not tried again and again: each time it begins a new log of its own.
  const std::string path = options.path + "/LOCK";
  for (bool said = false;; said = true) {
    rocksdb::FileLock* lock = nullptr;
    const rocksdb::IOStatus locked = file_system.LockFile(path, rocksdb::IOOptions(), &lock, nullptr);
    if (locked.ok()) static_cast<void>(file_system.UnlockFile(lock, rocksdb::IOOptions(), nullptr));
    if (!IsOpenElsewhere(locked) || deadline.Expired() || (stop && stop())) return;
    if (!said) log::Info("the folder is open in another process, which is waited for", {{"path", options.path}});
    std::this_thread::sleep_for(kLockPoll);
  }
}

Result<std::unique_ptr<Database>> OpenDatabase(const RocksDbOptions& options, const Clock& clock,
                                               std::shared_ptr<rocksdb::FileSystem> file_system) {
  HOLDFAST_RETURN_IF_ERROR(CreateDirectories(options.path));
  auto counts = std::make_shared<WalCounts>();
  auto database = std::make_unique<Database>();
  database->env = rocksdb::NewCompositeEnv(MonitorWal(std::move(file_system), counts));
  database->gate = std::make_shared<WriteGate>(std::move(counts));
  database->swept_until = std::make_shared<SweptUntil>(0);
  database->block_cache = std::make_shared<BlockCacheCounter>();
  database->compactions = std::make_shared<std::atomic<std::uint64_t>>(0);
  database->dropped_by_compaction = std::make_shared<std::atomic<std::uint64_t>>(0);

  HOLDFAST_ASSIGN_OR_RETURN(const bool exists, HasDatabase(options.path));
  if (exists) HOLDFAST_RETURN_IF_ERROR(CheckFamilies(options, database->env.get()));

  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status open = rocksdb::DB::Open(
      DatabaseOptions(options, *database), options.path,
      Families(options, clock, database->swept_until, database->dropped_by_compaction), &handles, &opened);
  if (!open.ok()) return OpenError(open, options.path);
  database->db.reset(opened);
  database->entries = handles[0];
  database->expiry = handles[1];
  database->holdfast = handles[2];
  HOLDFAST_RETURN_IF_ERROR(CheckFormat(*database, options.path));
  ClearLoadingFolder(*database->env, options.path);
  return database;
}

}  // namespace holdfast::storage
