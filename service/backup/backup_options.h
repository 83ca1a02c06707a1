// What the settings say of a store's backups.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "service/backup/object_cipher.h"
#include "service/backup/retention.h"
#include "service/backup/s3_target.h"
#include "service/backup/tick.h"
#include "service/backup/work.h"
#include "service/durability/checkpoint_writer.h"

namespace holdfast::backup {

struct CreateOptions {
  std::size_t object_bytes = std::size_t{64} << 20;  // the largest object; with it, what a run holds in memory
  durability::WriterOptions writer;
};

// Where drills restore to.
struct DrillOptions {
  bool in_memory = false;
  std::string directory;                            // of the databases, one for each store
  std::uint64_t memory = std::uint64_t{256} << 20;  // bytes, where it is in memory
};

// The change log of a store.
struct ChangeArchiveOptions {
  bool on = false;
  std::chrono::microseconds interval{std::chrono::minutes{1}};  // between two attempts to ship
  std::size_t segment_bytes = std::size_t{8} << 20;             // of keys and values, before they are compressed
  std::size_t buffer_bytes = std::size_t{64} << 20;             // of a store in memory: what is not shipped yet
};

// Where the backups of another deployment lie, which are only read.
struct SourceOptions {
  // One of the two.
  std::string directory;
  std::optional<S3TargetOptions> s3;
  std::optional<BackupKey> key;  // none: they are not encrypted
};

struct BackupOptions {
  // At most one of the two; with neither the store has no backups of its own.
  std::string directory;  // of the folder target
  std::optional<S3TargetOptions> s3;
  std::optional<BackupKey> key;  // none: they are not encrypted
  std::string key_setting = kKeySetting;
  std::optional<SourceOptions> source;
  CreateOptions create;
  Pace pace;  // of making and verifying; a restore is done as fast as the rate allows
  std::chrono::microseconds timeout{std::chrono::hours{1}};
  bool verify = true;               // read each one after it was written
  std::size_t max_increments = 30;  // behind a full backup, each on the one before; 0: all are full
  std::size_t full_every = 1;       // of those by schedule: so many, and the others are increments
  DrillOptions drill;
  ChangeArchiveOptions changes;
  RetentionOptions retention;
  std::optional<ScheduleOptions> schedule;    // none: backups are made when somebody asks
  std::chrono::microseconds max_age{};        // for the alert on the age of the newest; 0: any
  std::chrono::microseconds drill_max_age{};  // likewise of the last drill that succeeded
};

}  // namespace holdfast::backup
