// What the pod of a repository says of it (backup.py of operator/resources/postgres_backup_files.cc), and a server's
// pod of its archive. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/clock.h"

namespace holdfast::backup {

// One that is complete and readable.
struct Backup {
  std::string type;               // full, diff or incr
  std::optional<Timestamp> tick;  // that it was begun for; nothing of one that somebody has begun by hand
  Timestamp start{};
  Timestamp stop{};
  std::int64_t bytes = 0;  // that it added to the repository
};

// The last of its kind; it may be under way.
struct Attempt {
  std::string type = {};  // of a backup
  Timestamp started{};
  std::optional<Timestamp> ended = {};
  bool ok = false;
  std::string message = {};   // why not; of pgBackRest, without secrets
  std::int64_t failures = 0;  // up to this one, since the last that was none

  bool Failed() const { return ended.has_value() && !ok; }
};

// Of the repository's file system.
struct Room {
  std::int64_t size = 0;  // bytes, both
  std::int64_t free = 0;
};

struct Report {
  std::string error = {};  // pgBackRest could not read the repository; the rest is not known
  bool stanza = false;     // it has been made for the database
  std::vector<Backup> backups = {};
  std::string newest_segment = {};  // of the archive; empty = none
  bool running = false;
  std::optional<Attempt> backup = {};
  std::optional<Attempt> stanza_create = {};
  std::optional<Room> room = {};  // nothing of an object store
};

// pg_stat_archiver of the primary.
struct Archiver {
  bool failing = false;  // the last thing that happened is a failure
  std::int64_t failures = 0;
  std::string segment = {};  // that could not be archived last
  std::int64_t waiting = 0;  // segments that are complete and not archived yet
};

// kCorruption when it is none.
Result<Report> ParseReport(const std::string& body);
Result<Archiver> ParseArchiver(const std::string& body);

}  // namespace holdfast::backup
