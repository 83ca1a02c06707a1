// One call of the function write_entries: its rows as arrays, its answer as entries. What the parameters mean stands in
// migrations/0003_write_entries.up.sql.
#pragma once

#include <vector>

#include "service/backends/postgres/array_codec.h"
#include "service/backends/postgres/connection.h"
#include "service/backends/postgres/reader.h"
#include "service/backends/postgres/statements.h"
#include "service/storage/change_listener.h"
#include "service/storage/types.h"

namespace holdfast::storage::postgres {

// Versions are drawn by the server under the keys' locks. Until then the nth operation of a call writes
// kProvisionalVersion + n; no real version comes near it.
inline constexpr Version kProvisionalVersion = Version{1} << 62;

// Whose call it is, and in which epoch nobody else was there (-1: never).
struct WriterIdentity {
  std::int64_t instance = 0;
  std::int64_t alone_epoch = -1;
};

struct WriteAnswer {
  struct Row {
    bool held = false;
    EntryPtr before;  // as it stood there, expired or not
  };
  std::vector<Row> rows;  // in the order in which they were added
  Version first_version = 0;
  Timestamp at;
  std::optional<std::int64_t> log_position;  // of the last change, when they were logged
};

class WriteCall {
 public:
  WriteCall();

  // Whatever stands there: a put without precondition that does not keep the expiry, or a delete without precondition.
  void AddBlind(const Operation& operation, std::size_t index);
  // If `seen` stands there (expired or not; null = no row), then `next`: null erases, a provisional version writes, the
  // version seen changes the expiry only.
  void Add(std::string_view key, const EntryPtr& seen, const EntryPtr& next);
  // Nothing is done, but the call is refused when `seen` does not stand there.
  void AddCheck(std::string_view key, const EntryPtr& seen);

  bool empty() const { return rows_ == 0; }

  struct Terms {
    WriterIdentity writer;
    bool all_or_nothing = false;
    ChangeCause cause = ChangeCause::kOperation;
    std::optional<Timestamp> read_at;
  };
  // Locks `stripes` (rising, each once) and runs; `failure` says more about an error that the server or the way to it
  // caused.
  Result<WriteAnswer> Run(Connection& connection, const Statements& statements, std::span<const std::uint32_t> stripes,
                          const Terms& terms, const Clock* clock, Deadline deadline,
                          std::optional<StatementFailure>* failure);

 private:
  void AddRow(std::string_view key, const EntryPtr& seen, const EntryPtr& next, std::int16_t action);
  void AddAttributes(const std::string& content_type, const std::string& metadata,
                     const std::vector<std::string>& tags);

  std::size_t rows_ = 0;
  bool only_blind_puts_ = true;
  ArrayParameter keys_, blind_, seen_versions_, seen_expiries_, actions_, offsets_, created_at_, updated_at_,
      expires_at_, ttls_, content_types_, metadata_, tags_, values_;
};

}  // namespace holdfast::storage::postgres
