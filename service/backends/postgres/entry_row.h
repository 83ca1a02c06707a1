// Entries as they stand in rows of results.
#pragma once

#include <pqxx/result>
#include <pqxx/row>

#include "base/result/result.h"
#include "service/storage/types.h"

namespace holdfast::storage::postgres {

// Eight columns beginning at `first`: version, created_at, updated_at, expires_at, content_type, metadata, tags, value.
// Null when the version is null: there is no entry. kCorruption when a column is not what this program writes.
Result<EntryPtr> EntryOf(const pqxx::row& row, int first);

Result<std::int64_t> NumberOf(const pqxx::field& field);
Result<std::string> BytesOf(const pqxx::field& field);

inline Timestamp TimeOf(std::int64_t microseconds) {
  return Timestamp{std::chrono::microseconds{microseconds}};
}
inline std::int64_t MicrosecondsOf(Timestamp time) {
  return time.time_since_epoch().count();
}

}  // namespace holdfast::storage::postgres
