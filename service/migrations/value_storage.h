// How PostgreSQL keeps the values of entries: which compression, and from which size of a row on. Said of the column
// and of the table, so of what is written from then on; what is stored stays as it is until it is written again, and no
// table is rewritten.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "service/migrations/connection.h"

namespace holdfast::migrations {

enum class ValueCompression {
  kNone,  // large values stand beside the table as they are
  kPglz,
  kLz4,  // of a server that was built with it
};
std::string_view ValueCompressionName(ValueCompression compression);  // "none", "pglz", "lz4"

// What toast_tuple_target can be, in bytes.
inline constexpr int kLeastTupleTarget = 128;
inline constexpr int kMostTupleTarget = 8160;

// Absent: as it is.
struct ValueStorage {
  std::optional<ValueCompression> compression;
  std::optional<int> tuple_target;

  bool asks() const { return compression || tuple_target; }
};

// What stands in the database.
struct FoundValueStorage {
  bool there = false;       // the table
  char storage = 'x';       // pg_attribute.attstorage
  char compression = '\0';  // pg_attribute.attcompression
  std::optional<int> tuple_target;
  bool has_lz4 = false;
  bool is_owner = false;
  std::string role;   // ours
  std::string owner;  // of the table
};

// The statements that are missing, without BEGIN and COMMIT; none when all is as wanted. kFailedPrecondition: there is
// no table, or the server has no LZ4. kUnavailable: the role may not alter the table, and whoever owns it has not yet.
// Both name the remedy.
Result<std::vector<std::string>> PlanValueStorage(const FoundValueStorage& found, const ValueStorage& wanted,
                                                  const std::string& schema);

struct ValueStorageOptions {
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds lock_timeout{2'000};
  std::chrono::milliseconds lock_pause{1'000};  // before it is tried again
  int lock_attempts = 1;
  std::function<bool()> stop;  // asked several times a second; may be empty
};

// Reads, and alters what is not as wanted; true when something was. Altering takes the table for itself, for a moment
// and only when nobody holds it: whoever reads or writes it waits at most lock_timeout meanwhile. Any number may do so
// at once, also behind a pooler: one alters, the others find it done. Errors as PlanValueStorage's; kUnavailable also
// when the lock was not to be had in all attempts, and when the server cannot be reached.
Result<bool> ApplyValueStorage(const Target& target, const ValueStorage& wanted, const ValueStorageOptions& options);

}  // namespace holdfast::migrations
