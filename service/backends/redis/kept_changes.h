// The changes of a store as the server keeps them for its change log: all that was acknowledged by whatever instance,
// in the order in which it took effect, the changes of a step whole, until a reader releases it or there is more of it
// than was allowed. Each partition of the keys keeps its own (archive_texts.h); a page is merged from all of them.
//
// A position is the archive's random token and a step of each partition. An archive ends, and with it its token, when
// acknowledged writes may have been lost: with the data; when another process serves it or the same one after it was a
// replica, unless every acknowledged write is on the disk of a server that stands alone (RedisOptions::durable); and
// when a program wrote that knows no archives.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/redis/client.h"
#include "service/backends/redis/partitions.h"
#include "service/backends/redis/redis_options.h"
#include "service/backends/redis/scripts.h"
#include "service/storage/change_history.h"

namespace holdfast::storage::redis_backend {

// Thread-safe. As ChangeHistory; times are those of the servers' clocks. A prefix is the name of a store and a zero
// byte.
class KeptChanges {
 public:
  // All of them outlive it.
  KeptChanges(redis::Client& client, const Scripts& scripts, const RedisOptions& options, const Partitions& partitions);

  void KeepAtMost(std::string_view prefix, std::uint64_t bytes);
  Result<ChangePage> Read(const std::string& position, std::string_view prefix, std::size_t most_bytes,
                          Deadline deadline);
  void Release(const std::string& position, Deadline deadline);
  // `instance`: as it stands among those of the first partition.
  Result<bool> Claim(std::string_view prefix, std::string_view instance, Deadline deadline);
  void Yield(std::string_view prefix, std::string_view instance, Deadline deadline);

 private:
  struct Place {
    std::string token;
    std::vector<std::uint64_t> steps;  // of each partition
  };
  // What one partition has behind a step.
  struct Piece {
    std::string gap;  // as the script calls it; "-": a token that it does not know and says nothing of
    struct Row {
      std::uint64_t step = 0;
      KeyChange change;
    };
    std::vector<Row> rows;  // of whole steps
    bool complete = false;
    Timestamp until{};
  };

  static std::string PositionOf(const Place& place);
  // nullopt: none of ours.
  std::optional<Place> PlaceOf(std::string_view position) const;
  std::string LimitOf(std::string_view prefix) const;
  Result<ChangePage> Begin(std::string_view prefix, std::string gap, Deadline deadline);
  Result<Piece> ReadPart(std::size_t partition, std::string_view store, const Place& place, std::size_t most_bytes,
                         Deadline deadline);
  // Adds the changes of a row of the stream, whose id it gives; takes their bytes off `wanted`.
  Result<std::string> TakeRow(redis::Value row, Timestamp* newest, std::vector<Piece::Row>* rows,
                              std::size_t* wanted) const;
  Result<redis::Value> Call(std::size_t partition, const redis::Script& script,
                            std::initializer_list<std::string_view> arguments, Deadline deadline);
  void Remember(const std::string& token, std::string_view prefix);

  redis::Client& client_;
  const Scripts& scripts_;
  const RedisOptions& options_;
  const Partitions& partitions_;
  const std::string_view durable_;  // "1": an acknowledged write outlives the process of the server
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t, std::less<>> limits_;  // guarded by mutex_; by prefix
  std::map<std::string, std::string, std::less<>> tokens_;    // guarded by mutex_; by prefix: the archive's at last
};

}  // namespace holdfast::storage::redis_backend
