#include "service/backends/postgres/postgres_error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <pqxx/except>

namespace holdfast::storage::postgres {
namespace {

struct Row {
  std::string_view sqlstate;  // or its first two digits
  ErrorCode code;
  std::string_view remedy;
};

constexpr std::array kRows = {
    Row{"0A000", ErrorCode::kUnavailable, "the tables changed under a prepared statement: try again"},
    Row{"26000", ErrorCode::kUnavailable, "a prepared statement is gone, is url a pooler? set `pooled` then"},
    Row{"HF001", ErrorCode::kUnavailable, "it joins again: try again"},
    Row{"HF002", ErrorCode::kFailedPrecondition,
        "the role or database sets default_transaction_isolation: ALTER ROLE ... RESET default_transaction_isolation"},
    Row{"25006", ErrorCode::kUnavailable, "the server is a standby and takes no writes: the primary is looked for"},
    Row{"55000", ErrorCode::kUnavailable,
        "the server is a standby and has no log of its own: the primary is looked for"},
    Row{"40001", ErrorCode::kUnavailable, "others wrote the same at the same time: try again"},
    Row{"40P01", ErrorCode::kUnavailable, "others held what it needed: try again"},
    Row{"23505", ErrorCode::kUnavailable, "somebody else than this service writes the tables: try again"},
    Row{"53100", ErrorCode::kResourceExhausted, "the server's disk is full: make room"},
    Row{"53200", ErrorCode::kResourceExhausted,
        "the server is out of memory: raise max_locks_per_transaction or its memory, or send smaller batches"},
    Row{"53300", ErrorCode::kUnavailable,
        "the server has no connection left: raise max_connections there or lower pool_max"},
    Row{"53", ErrorCode::kResourceExhausted, "the server lacks resources"},
    Row{"54", ErrorCode::kResourceExhausted, "a limit of the server was passed: send less"},
    Row{"55P03", ErrorCode::kUnavailable, "others hold the keys for longer than lock_timeout: try again later"},
    Row{"57014", ErrorCode::kDeadlineExceeded, "it took longer than statement_timeout and was undone"},
    Row{"57", ErrorCode::kUnavailable, "the server is stopping or starting: try again later"},
    Row{"58", ErrorCode::kUnavailable, "the server's system failed"},
    Row{"28", ErrorCode::kUnavailable, "the server refused the login: check user and password"},
    Row{"3D000", ErrorCode::kUnavailable, "the database does not exist: create it"},
    Row{"42501", ErrorCode::kFailedPrecondition, "the role may not: grant it the tables of the schema"},
    Row{"42", ErrorCode::kFailedPrecondition, "the schema is not what this program knows: run holdfast migrate"},
    Row{"3F000", ErrorCode::kFailedPrecondition, "the schema does not exist: run holdfast migrate"},
    Row{"XX001", ErrorCode::kCorruption, "the server found damaged data"},
    Row{"XX002", ErrorCode::kCorruption, "the server found a damaged index: REINDEX"},
    Row{"08", ErrorCode::kUnavailable, "the connection failed"},
};

const Row* Find(std::string_view sqlstate) {
  const auto row = std::find_if(kRows.begin(), kRows.end(),
                                [&](const Row& candidate) { return sqlstate.starts_with(candidate.sqlstate); });
  return row == kRows.end() ? nullptr : row;
}

// The first line: what follows (DETAIL, CONTEXT) may quote what a client sent.
std::string_view FirstLine(std::string_view message) {
  message = message.substr(0, message.find('\n'));
  for (const std::string_view prefix : {"ERROR:  ", "FATAL:  "}) {
    if (message.starts_with(prefix)) message.remove_prefix(prefix.size());
  }
  return message;
}

// The server ended the session; whether before or behind the commit it does not say.
bool EndsSession(std::string_view sqlstate) {
  return sqlstate == "57P01" || sqlstate == "57P02" || sqlstate == "57P05" || sqlstate.starts_with("08");
}

// Two that libpqxx 6 throws without the SQLSTATE the server gave: both say that nothing took effect.
std::string SqlStateOf(const std::exception& thrown) {
  if (const auto* failed = dynamic_cast<const pqxx::sql_error*>(&thrown)) return failed->sqlstate();
  if (dynamic_cast<const pqxx::serialization_failure*>(&thrown) != nullptr) return "40001";
  if (dynamic_cast<const pqxx::deadlock_detected*>(&thrown) != nullptr) return "40P01";
  return {};
}

Error LostConnection(StatementKind kind, bool timed_out, std::string_view message) {
  if (kind == StatementKind::kWrite) {
    return {ErrorCode::kOutcomeUnknown,
            timed_out
                ? std::string("the deadline passed while the answer to a write was awaited: it may have taken effect")
                : fmt::format("the connection was lost before the answer to a write came ({}): it may have taken "
                              "effect",
                              message)};
  }
  if (timed_out) return {ErrorCode::kDeadlineExceeded, "the deadline passed while the answer was awaited"};
  return {ErrorCode::kUnavailable, fmt::format("the connection was lost ({}): try again", message)};
}

}  // namespace

StatementFailure FailureOf(std::string_view sqlstate, std::string_view message, StatementKind kind, bool lost,
                           bool timed_out) {
  const std::string_view line = FirstLine(message);
  if (lost || timed_out || EndsSession(sqlstate)) {
    return {LostConnection(kind, timed_out, line), std::string(sqlstate), true};
  }
  const Row* row = Find(sqlstate);
  if (row == nullptr) {
    return {Error(ErrorCode::kInternal, fmt::format("PostgreSQL says {}: {}", sqlstate, line)), std::string(sqlstate)};
  }
  return {Error(row->code, fmt::format("PostgreSQL says {}: {}; {}", sqlstate, line, row->remedy)),
          std::string(sqlstate)};
}

StatementFailure FailureOf(const std::exception& thrown, StatementKind kind, bool open, bool timed_out) {
  const bool broken = dynamic_cast<const pqxx::broken_connection*>(&thrown) != nullptr ||
                      dynamic_cast<const pqxx::in_doubt_error*>(&thrown) != nullptr;
  const std::string sqlstate = SqlStateOf(thrown);
  // Without a SQLSTATE the server said nothing: what became of the statement is not known.
  const bool lost = broken || (!open && !EndsSession(sqlstate)) || sqlstate.empty();
  return FailureOf(sqlstate, thrown.what(), kind, lost, timed_out);
}

Error ConnectFailure(const std::exception& thrown) {
  std::string message = thrown.what();
  while (!message.empty() && message.back() == '\n') message.pop_back();
  std::replace(message.begin(), message.end(), '\n', ' ');
  // These name host, port and reason. Whatever else libpq says may quote the url, and a password in it.
  const bool harmless = message.starts_with("connection to server") || message.starts_with("could not translate host");
  if (!harmless) message = "libpq does not accept the url, or a file that it names";
  return {ErrorCode::kUnavailable, fmt::format("cannot connect to PostgreSQL: {}", message)};
}

}  // namespace holdfast::storage::postgres
