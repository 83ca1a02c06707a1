#include "service/migrations/value_storage.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace holdfast::migrations {
namespace {

constexpr std::string_view kLockNotAvailable = "55P03";
constexpr std::string_view kDeadlockDetected = "40P01";
// What the server may need beyond its own timeouts to answer.
constexpr std::chrono::seconds kAnswer{30};

// Letters of pg_attribute.
constexpr char kExtended = 'x';
constexpr char kExternal = 'e';

char LetterOf(ValueCompression compression) {
  return compression == ValueCompression::kLz4 ? 'l' : 'p';
}

// The names of the catalogue are spelled out: nobody's search path stands in front of them.
constexpr std::string_view kFind =
    "SELECT a.attstorage, a.attcompression, (SELECT o.option_value FROM "
    "pg_catalog.pg_options_to_table(c.reloptions) o WHERE o.option_name = 'toast_tuple_target'), "
    "(SELECT 'lz4' = ANY (s.enumvals) FROM pg_catalog.pg_settings s WHERE s.name = 'default_toast_compression'), "
    "pg_catalog.pg_has_role(c.relowner, 'USAGE'), current_user, pg_catalog.pg_get_userbyid(c.relowner) "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid "
    "WHERE n.nspname = $1 AND c.relname = 'entries' AND c.relkind = 'r' AND a.attname = 'value'";

char FirstOf(const std::optional<std::string>& text) {
  return text && !text->empty() ? text->front() : '\0';
}

Result<FoundValueStorage> Find(Connection& connection, const Target& target) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<Row> rows,
                            connection.Run(std::string(kFind), Deadline::After(kAnswer), {target.schema}));
  FoundValueStorage found;
  if (rows.empty()) return found;
  const Row& row = rows[0];
  found.there = true;
  found.storage = FirstOf(row[0]);
  found.compression = FirstOf(row[1]);
  // The server let nothing but a number in.
  if (row[2]) found.tuple_target = static_cast<int>(std::strtol(row[2]->c_str(), nullptr, 10));
  found.has_lz4 = row[3] == "t";
  found.is_owner = row[4] == "t";
  found.role = row[5].value_or("");
  found.owner = row[6].value_or("");
  return found;
}

class Alteration {
 public:
  Alteration(Connection& connection, const Target& target, const ValueStorage& wanted,
             const ValueStorageOptions& options)
      : connection_(connection), target_(target), wanted_(wanted), options_(options) {}

  // True when something was altered.
  Result<bool> Run() {
    HOLDFAST_RETURN_IF_ERROR(connection_.Execute("BEGIN", Patience()));
    Result<bool> altered = RunInTransaction();
    if (!altered.ok() && connection_.open()) {
      const std::string state = connection_.sqlstate();
      busy_ = state == kLockNotAvailable || state == kDeadlockDetected;
      // The error that counts is the first one.
      static_cast<void>(connection_.Execute("ROLLBACK", Patience()));
    }
    return altered;
  }
  // Whether the last one failed because others held a lock.
  bool busy() const { return busy_; }

 private:
  // The settings go with the transaction: a pooler's session is somebody else's next.
  Result<bool> RunInTransaction() {
    HOLDFAST_RETURN_IF_ERROR(connection_.Execute(
        "SELECT pg_catalog.set_config('lock_timeout', $1, true), pg_catalog.set_config('statement_timeout', $2, true), "
        "pg_catalog.set_config('client_connection_check_interval', '1s', true)",
        Patience(),
        {fmt::format("{}ms", options_.lock_timeout.count()),
         fmt::format("{}ms", (options_.lock_timeout + kAnswer / 2).count())}));
    // Others with the same wish wait here, where nobody stands behind them, and not for the table.
    HOLDFAST_RETURN_IF_ERROR(connection_.Execute(
        "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('holdfast value storage ' || $1, 0))",
        Patience(), {target_.schema}));
    HOLDFAST_ASSIGN_OR_RETURN(const FoundValueStorage found, Find(connection_, target_));
    HOLDFAST_ASSIGN_OR_RETURN(const std::vector<std::string> statements,
                              PlanValueStorage(found, wanted_, target_.schema));
    for (const std::string& statement : statements) {
      HOLDFAST_RETURN_IF_ERROR(connection_.Execute(statement, Patience()).WithContext(statement));
    }
    HOLDFAST_RETURN_IF_ERROR(connection_.Execute("COMMIT", Patience()));
    return !statements.empty();
  }
  Deadline Patience() const { return Deadline::After(options_.lock_timeout + kAnswer); }

  Connection& connection_;
  const Target& target_;
  const ValueStorage& wanted_;
  const ValueStorageOptions& options_;
  bool busy_ = false;
};

// False when it is to stop.
bool Pause(const ValueStorageOptions& options) {
  constexpr std::chrono::milliseconds kSlice{50};
  const Deadline end = Deadline::After(options.lock_pause);
  while (!end.Expired()) {
    if (options.stop && options.stop()) return false;
    std::this_thread::sleep_for(std::min(kSlice, options.lock_pause));
  }
  return true;
}

}  // namespace

std::string_view ValueCompressionName(ValueCompression compression) {
  switch (compression) {
    case ValueCompression::kNone:
      return "none";
    case ValueCompression::kPglz:
      return "pglz";
    case ValueCompression::kLz4:
      return "lz4";
  }
  return "unknown";
}

Result<std::vector<std::string>> PlanValueStorage(const FoundValueStorage& found, const ValueStorage& wanted,
                                                  const std::string& schema) {
  std::vector<std::string> statements;
  if (!wanted.asks()) return statements;
  if (!found.there) {
    return Error(ErrorCode::kFailedPrecondition,
                 fmt::format("there is no table entries in the schema {}; run: holdfast migrate up", schema));
  }
  if (wanted.compression == ValueCompression::kLz4 && !found.has_lz4) {
    return Error(ErrorCode::kFailedPrecondition,
                 "compression: the server was built without LZ4; choose pglz or none, or use a server that has it");
  }
  const std::string table = QuotedName(schema) + ".entries";
  if (wanted.compression) {
    const bool none = wanted.compression == ValueCompression::kNone;
    if (found.storage != (none ? kExternal : kExtended)) {
      statements.push_back(
          fmt::format("ALTER TABLE {} ALTER COLUMN value SET STORAGE {}", table, none ? "EXTERNAL" : "EXTENDED"));
    }
    if (!none && found.compression != LetterOf(*wanted.compression)) {
      statements.push_back(fmt::format("ALTER TABLE {} ALTER COLUMN value SET COMPRESSION {}", table,
                                       ValueCompressionName(*wanted.compression)));
    }
  }
  if (wanted.tuple_target && found.tuple_target != wanted.tuple_target) {
    statements.push_back(fmt::format("ALTER TABLE {} SET (toast_tuple_target = {})", table, *wanted.tuple_target));
  }
  if (!statements.empty() && !found.is_owner) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("compression, compression_threshold: the table {} belongs to {}, and {} may not alter it; "
                             "run `holdfast migrate up` with the same settings as {}, or leave them out",
                             table, found.owner, found.role, found.owner));
  }
  return statements;
}

Result<bool> ApplyValueStorage(const Target& target, const ValueStorage& wanted, const ValueStorageOptions& options) {
  if (!wanted.asks()) return false;
  HOLDFAST_ASSIGN_OR_RETURN(Connection connection, Connection::Open(target, Connection::Access::kWrite,
                                                                    Deadline::After(options.connect_timeout)));
  if (options.stop) connection.StopWhen(options.stop);
  HOLDFAST_ASSIGN_OR_RETURN(const FoundValueStorage found, Find(connection, target));
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<std::string> missing, PlanValueStorage(found, wanted, target.schema));
  if (missing.empty()) return false;
  Alteration alteration(connection, target, wanted, options);
  for (int attempt = 1;; ++attempt) {
    Result<bool> altered = alteration.Run();
    if (altered.ok() || !alteration.busy()) return altered;
    if (attempt >= options.lock_attempts) {
      return Error(ErrorCode::kUnavailable,
                   fmt::format("others hold the table entries for longer than {} ms ({}); values are compressed as "
                               "before until it is altered",
                               options.lock_timeout.count(), altered.error().message()));
    }
    if (!Pause(options)) return Error(ErrorCode::kCancelled, "stopped before the table was altered");
  }
}

}  // namespace holdfast::migrations
