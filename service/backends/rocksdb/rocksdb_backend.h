// Entries on this machine's disk, in an embedded RocksDB. The one room that includes RocksDB's headers.
//
// Durability `sync`: an operation that returned ok has been fsynced in the write-ahead log and survives a crash of the
// process and of the machine. `interval`: a crash of the machine loses at most what was acknowledged in the last
// sync_interval plus the time of one fsync. `os`: it loses what the kernel had not written by itself, usually up to 30
// seconds. A crash of the process alone loses nothing in any of them.
//
// Reads verify RocksDB's block checksum and the entry's own (docs/formats/rocksdb-entry.md): damage is kCorruption.
//
// After the log failed to take or to sync a record, no write is acknowledged any more until the directory is opened
// again: what the kernel holds after a failed fsync cannot be trusted. A full disk is the exception: its write is known
// not to be applied, and writes go on by themselves once there is space.
//
// Expired entries are removed by a sweeper within kRocksDbSweepInterval, which tells the change listener; compactions
// drop what it has left behind for a long time.
//
// Bloom filters hold whole keys and key spaces (service/storage/key_space.h): a get of an absent key and a scan of an
// empty space mostly touch no block.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "service/compression/codec.h"
#include "service/storage/backend.h"
#include "service/storage/change_history.h"

namespace holdfast::storage {

enum class Durability { kSync, kInterval, kOs };
// What to do at open when the log is damaged other than by a last record cut short, which is dropped in either case: it
// was never acknowledged.
enum class WalRecovery {
  kRefuse,       // open fails with kCorruption; nothing acknowledged is dropped silently
  kPointInTime,  // everything in front of the damage is kept, everything behind it is lost
};

struct RocksDbOptions {
  std::string path;  // created when missing; one process at a time
  // How long to wait for the process that has it open; 0 = not at all. One that is about to end may still serve.
  std::chrono::milliseconds lock_wait{0};
  Durability durability = Durability::kSync;
  std::chrono::milliseconds sync_interval{100};  // kInterval
  std::uint64_t cache_size = 256u << 20;         // uncompressed blocks, index and filters included
  std::uint64_t entry_cache_size = 64u << 20;    // entries up to 4 KiB as a get gives them; 0 = none
  // Of values from its threshold on, each by itself, which the block cache then holds in their compressed form; and,
  // with the same codec, of RocksDB's blocks, where small entries are compressed together.
  compression::Options compression{compression::Codec::kLz4, 0, 1024};
  std::uint64_t block_size = 4096;                // what one read fetches from a table file, uncompressed
  int bloom_bits = 10;                            // of a table file's filter, for each key; 0 = none
  std::uint64_t background_bytes_per_second = 0;  // flushes and compactions together; 0 = as fast as they can
  int max_open_files = 1024;
  std::uint64_t write_buffer_size = 64u << 20;
  int max_write_buffers = 3;
  std::uint64_t max_log_size = 256u << 20;  // bounds what a start has to replay
  int background_threads = 2;
  // Of logs that nothing but the change history needs any more; above it the oldest are removed, whoever has read
  // them. 0: there is no change history. RocksDB looks every ten minutes.
  std::uint64_t archived_log_size = 0;
  WalRecovery wal_recovery = WalRecovery::kRefuse;
  Limits limits;
};

inline constexpr std::chrono::milliseconds kRocksDbSweepInterval{250};

// kUnavailable when another process has the directory open or it cannot be written; kFailedPrecondition when it
// belongs to another program or format version; kCorruption when it is damaged; kResourceExhausted when the disk is
// full. Every message names the path and the remedy. `clock` outlives the backend. `stop` is asked several times a
// second while another process is waited for; true ends the wait.
Result<std::unique_ptr<Backend>> OpenRocksDbBackend(const RocksDbOptions& options, const Clock& clock = SystemClock(),
                                                    const std::function<bool()>& stop = {});

// Of what OpenRocksDbBackend gave, and as long-lived; null: archived_log_size is 0, or it is another backend.
ChangeHistory* ChangeHistoryOf(Backend& backend);

}  // namespace holdfast::storage
