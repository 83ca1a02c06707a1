// The changes of a store as the server keeps them for its change log (migrations/0018_change_archives.up.sql): all that
// was acknowledged by whatever instance, in an order in which it took effect, transactions whole, until a reader
// releases it or there is more of it than was allowed.
//
// A position names a mark by a random token. The mark is committed behind all that it stands for and before its
// position is given out: a server that lost some of that (a promoted standby, a restored copy) lost the mark as well,
// and what was read is then not taken for its history.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "service/backends/postgres/change_log.h"
#include "service/backends/postgres/connection_pool.h"
#include "service/backends/postgres/statements.h"
#include "service/storage/change_history.h"

namespace holdfast::storage::postgres {

// Thread-safe. As ChangeHistory; times are those of the server's clock.
class KeptChanges {
 public:
  // All of them outlive it.
  KeptChanges(ConnectionPool& pool, const Statements& statements, ChangeLog& instances);

  void KeepAtMost(std::string_view prefix, std::uint64_t bytes);
  Result<ChangePage> Read(const std::string& position, std::string_view prefix, std::size_t most_bytes,
                          Deadline deadline);
  void Release(const std::string& position, Deadline deadline);
  Result<bool> Claim(std::string_view prefix, Deadline deadline);
  void Yield(std::string_view prefix, Deadline deadline);

 private:
  std::int64_t LimitOf(std::string_view prefix) const;
  Result<ChangePage> Begin(std::string_view prefix, std::string gap, Deadline deadline);
  // Once it is among the instances.
  Result<Answered> Ask(std::string_view prefix, const std::string& token, std::size_t most_bytes, Deadline deadline);

  ConnectionPool& pool_;
  ChangeLog& instances_;
  const Statement begin_;    // $1 archive, $2 bytes that may wait; rows: token, time
  const Statement read_;     // $1 archive, $2 token, $3 bytes, $4 instance; its rows
  const Statement release_;  // $1 token
  const Statement claim_;    // $1 archive, $2 instance, $3 bytes that may wait; rows: whether
  const Statement yield_;    // $1 archive, $2 instance
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t, std::less<>> limits_;  // guarded by mutex_; by prefix
};

}  // namespace holdfast::storage::postgres
