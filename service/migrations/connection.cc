#include "service/migrations/connection.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

namespace holdfast::migrations {
namespace {

using Answer = std::unique_ptr<PGresult, decltype(&PQclear)>;

constexpr int kMinimumServerVersion = 150000;

std::string Trimmed(const char* text) {
  std::string trimmed = text == nullptr ? "" : text;
  while (!trimmed.empty() && trimmed.back() == '\n') trimmed.pop_back();
  std::replace(trimmed.begin(), trimmed.end(), '\n', ' ');
  return trimmed;
}

std::string FieldOf(const Answer& answer, int field) {
  return Trimmed(PQresultErrorField(answer.get(), field));
}

// Without the DETAIL, which may quote what clients stored: "Key (a)=(...) is duplicated."
std::string WordsOf(const Answer& answer) {
  std::string words = FieldOf(answer, PG_DIAG_MESSAGE_PRIMARY);
  const std::string where = FieldOf(answer, PG_DIAG_CONTEXT);
  if (!where.empty()) words += ", at " + where;
  return words + " [" + FieldOf(answer, PG_DIAG_SQLSTATE) + "]";
}

std::vector<Row> RowsOf(const Answer& answer) {
  std::vector<Row> rows;
  const int columns = PQnfields(answer.get());
  for (int row = 0; row < PQntuples(answer.get()); ++row) {
    Row& values = rows.emplace_back();
    for (int column = 0; column < columns; ++column) {
      if (PQgetisnull(answer.get(), row, column) != 0) {
        values.emplace_back(std::nullopt);
      } else {
        values.emplace_back(PQgetvalue(answer.get(), row, column));
      }
    }
  }
  return rows;
}

// At least the two seconds below which libpq knows no timeout.
std::string ConnectSeconds(Deadline deadline) {
  constexpr std::int64_t kLeast = 2;
  constexpr std::int64_t kMost = 30;
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(deadline.Remaining()).count();
  return fmt::format("{}", std::clamp<std::int64_t>(left, kLeast, kMost));
}

bool IsUrl(const std::string& url) {
  char* message = nullptr;
  PQconninfoOption* parsed = PQconninfoParse(url.c_str(), &message);
  PQfreemem(message);
  if (parsed == nullptr) return false;
  PQconninfoFree(parsed);
  return true;
}

}  // namespace

Status ValidateSchemaName(const std::string& schema) {
  constexpr std::size_t kLongestName = 63;
  if (schema.empty() || schema.size() > kLongestName || schema.find('\0') != std::string::npos) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("a schema's name has 1 to {} bytes and no NUL; \"{}\" has {}",
                                                          kLongestName, schema, schema.size()));
  }
  if (schema.starts_with("pg_") || schema == "information_schema") {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the schema \"{}\" is PostgreSQL's own; choose another", schema));
  }
  return {};
}

std::string QuotedName(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted += c;
    quoted += c;
  }
  return quoted + '"';
}

Result<Connection> Connection::Open(const Target& target, Access access, Deadline deadline) {
  HOLDFAST_RETURN_IF_ERROR(ValidateSchemaName(target.schema));
  if (!IsUrl(target.url)) {
    return Error(ErrorCode::kInvalidArgument,
                 "the url is not understood; it looks like postgresql://USER@HOST:PORT/DATABASE?sslmode=verify-full");
  }
  const std::string seconds = ConnectSeconds(deadline);
  // A parameter without a value counts as not given.
  const char* const names[] = {"dbname",
                               "password",
                               "connect_timeout",
                               "keepalives_idle",
                               "tcp_user_timeout",
                               "client_encoding",
                               "application_name",
                               "target_session_attrs",
                               nullptr};
  const char* const values[] = {target.url.c_str(),
                                target.password.c_str(),
                                seconds.c_str(),
                                "10",
                                "30000",
                                "UTF8",
                                "holdfast migrate",
                                access == Access::kWrite ? "primary" : "",
                                nullptr};
  Connection connection(PQconnectdbParams(names, values, 1));
  pg_conn* const raw = connection.connection_.get();
  if (PQstatus(raw) != CONNECTION_OK) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("cannot connect to PostgreSQL: {}", Trimmed(PQerrorMessage(raw))));
  }
  if (connection.server_version() < kMinimumServerVersion) {
    return Error(ErrorCode::kNotSupported, fmt::format("the server is PostgreSQL {}; 15 or newer is needed",
                                                       connection.server_version() / 10000));
  }
  PQsetNoticeProcessor(
      raw, [](void*, const char*) {}, nullptr);
  return connection;
}

Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;

void Connection::Close::operator()(pg_conn* connection) const {
  PQfinish(connection);
}

bool Connection::open() const {
  return connection_ != nullptr && PQstatus(connection_.get()) == CONNECTION_OK;
}

int Connection::backend_pid() const {
  return PQbackendPID(connection_.get());
}

int Connection::server_version() const {
  return PQserverVersion(connection_.get());
}

Error Connection::Lost(std::string_view what) {
  std::string message = fmt::format("{}: {}", what, Trimmed(PQerrorMessage(connection_.get())));
  connection_.reset();
  return {ErrorCode::kUnavailable, std::move(message)};
}

// Until the whole answer of what was sent is there.
Status Connection::Await(Deadline deadline) {
  constexpr int kSlice = 200;
  while (PQisBusy(connection_.get()) == 1) {
    if (stop_ && stop_()) {
      connection_.reset();
      return Error(ErrorCode::kCancelled, "stopped; what was not committed is undone");
    }
    if (deadline.Expired()) {
      connection_.reset();
      return Error(ErrorCode::kDeadlineExceeded,
                   "PostgreSQL does not answer; the connection was closed, and what was not committed is undone");
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline.Remaining()).count();
    pollfd socket{PQsocket(connection_.get()), POLLIN, 0};
    const int ready = ::poll(&socket, 1, static_cast<int>(std::min<std::int64_t>(left + 1, kSlice)));
    if (ready < 0 && errno != EINTR) return Lost("waiting for PostgreSQL failed");
    if (ready > 0 && PQconsumeInput(connection_.get()) == 0) return Lost("the connection to PostgreSQL is lost");
  }
  return {};
}

Result<std::vector<Row>> Connection::Run(const std::string& sql, Deadline deadline, const Row& parameters) {
  sqlstate_.clear();
  if (!open()) return Error(ErrorCode::kUnavailable, "the connection to PostgreSQL is closed");
  std::vector<const char*> values;
  for (const auto& parameter : parameters) values.push_back(parameter ? parameter->c_str() : nullptr);
  // Without parameters by the simple protocol: utility statements need no plan.
  const int sent = parameters.empty()
                       ? PQsendQuery(connection_.get(), sql.c_str())
                       : PQsendQueryParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                                           values.data(), nullptr, nullptr, 0);
  if (sent != 1) return Lost("the connection to PostgreSQL is lost");
  std::vector<Row> rows;
  std::optional<Error> failed;
  while (true) {
    HOLDFAST_RETURN_IF_ERROR(Await(deadline));
    const Answer answer(PQgetResult(connection_.get()), PQclear);
    if (answer == nullptr) break;
    const ExecStatusType status = PQresultStatus(answer.get());
    if (status == PGRES_TUPLES_OK) {
      rows = RowsOf(answer);
    } else if (status != PGRES_COMMAND_OK && !failed) {
      sqlstate_ = FieldOf(answer, PG_DIAG_SQLSTATE);
      if (sqlstate_.empty()) return Lost("the connection to PostgreSQL is lost");
      failed = Error(ErrorCode::kInternal, WordsOf(answer));
    }
  }
  if (!failed) return rows;
  // 57P01 and the like: the server says why and hangs up.
  if (!open() || sqlstate_.starts_with("57P")) {
    connection_.reset();
    return Error(ErrorCode::kUnavailable, failed->message());
  }
  return *std::move(failed);
}

Status Connection::Execute(const std::string& sql, Deadline deadline, const Row& parameters) {
  auto rows = Run(sql, deadline, parameters);
  if (!rows.ok()) return std::move(rows).error();
  return {};
}

Result<std::optional<std::string>> Connection::Value(const std::string& sql, Deadline deadline, const Row& parameters) {
  HOLDFAST_ASSIGN_OR_RETURN(std::vector<Row> rows, Run(sql, deadline, parameters));
  if (rows.empty() || rows[0].empty()) return std::optional<std::string>();
  return std::move(rows[0][0]);
}

}  // namespace holdfast::migrations
