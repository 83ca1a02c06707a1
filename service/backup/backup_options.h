// What the settings say of a store's backups.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "service/backup/object_cipher.h"
#include "service/backup/retention.h"
#include "service/durability/checkpoint_writer.h"

namespace holdfast::backup {

struct CreateOptions {
  std::size_t object_bytes = std::size_t{64} << 20;  // the largest object; with it, what a run holds in memory
  durability::WriterOptions writer;
};

struct BackupOptions {
  std::string directory;         // of the folder target; empty: the store has no backups
  std::optional<BackupKey> key;  // none: they are not encrypted
  CreateOptions create;
  std::uint64_t rate = 0;  // bytes per second to and from the target; 0: any
  std::chrono::microseconds timeout{std::chrono::hours{1}};
  bool verify = true;  // read each one after it was written
  RetentionOptions retention;
  std::chrono::microseconds max_age{};  // for the alert on the age of the newest; 0: any
};

}  // namespace holdfast::backup
