#include "tests/postgres/session.h"

#include <libpq-fe.h>

#include <cstdlib>

namespace holdfast::postgres_servers {
namespace {

using ResultPointer = std::unique_ptr<PGresult, decltype(&PQclear)>;

std::string Trimmed(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

Result<Answer> Interpret(pg_conn* connection, const ResultPointer& result) {
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY) {
    const char* state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    const char* message = PQresultErrorField(result.get(), PG_DIAG_MESSAGE_PRIMARY);
    // Without a state the connection is lost, and the words are libpq's.
    if (state == nullptr) return Error(ErrorCode::kUnavailable, Trimmed(PQerrorMessage(connection)));
    std::string text = state;
    text.append(": ").append(message != nullptr ? message : "");
    return Error(ErrorCode::kInternal, text);
  }
  Answer answer;
  for (int column = 0; column < PQnfields(result.get()); ++column) {
    answer.columns.emplace_back(PQfname(result.get(), column));
  }
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    Row& values = answer.rows.emplace_back();
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      if (PQgetisnull(result.get(), row, column) != 0) {
        values.emplace_back(std::nullopt);
      } else {
        values.emplace_back(std::string(PQgetvalue(result.get(), row, column),
                                        static_cast<std::size_t>(PQgetlength(result.get(), row, column))));
      }
    }
  }
  answer.affected = std::atol(PQcmdTuples(result.get()));
  return answer;
}

}  // namespace

Result<Session> Session::Open(const std::string& target) {
  const char* const names[] = {"dbname", "connect_timeout", nullptr};
  const char* const values[] = {target.c_str(), "10", nullptr};
  Session session(PQconnectdbParams(names, values, 1));
  if (PQstatus(session.connection_.get()) != CONNECTION_OK) {
    return Error(ErrorCode::kUnavailable, Trimmed(PQerrorMessage(session.connection_.get())));
  }
  PQsetNoticeProcessor(
      session.connection_.get(), [](void*, const char*) {}, nullptr);
  return session;
}

Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

void Session::Close::operator()(pg_conn* connection) const {
  PQfinish(connection);
}

Result<Answer> Session::Query(const std::string& sql) {
  return Interpret(connection_.get(), ResultPointer(PQexec(connection_.get(), sql.c_str()), PQclear));
}

Result<Answer> Session::Query(const std::string& sql, const Row& parameters) {
  std::vector<const char*> values;
  for (const auto& parameter : parameters) values.push_back(parameter ? parameter->c_str() : nullptr);
  return Interpret(connection_.get(),
                   ResultPointer(PQexecParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                                              values.data(), nullptr, nullptr, 0),
                                 PQclear));
}

Status Session::Execute(const std::string& sql) {
  Result<Answer> answer = Query(sql);
  if (!answer.ok()) return std::move(answer).error();
  return {};
}

Result<std::string> Session::Value(const std::string& sql) {
  HOLDFAST_ASSIGN_OR_RETURN(const Answer answer, Query(sql));
  if (answer.rows.empty() || answer.rows[0].empty()) return std::string();
  return answer.rows[0][0].value_or("");
}

Status Session::Send(const std::string& sql) {
  if (PQsendQuery(connection_.get(), sql.c_str()) == 1) return {};
  return Error(ErrorCode::kUnavailable, Trimmed(PQerrorMessage(connection_.get())));
}

Result<Answer> Session::Finish() {
  ResultPointer last(nullptr, PQclear);
  while (PGresult* next = PQgetResult(connection_.get())) last.reset(next);
  return Interpret(connection_.get(), last);
}

void Session::Cancel() {
  char text[256];
  PGcancel* cancel = PQgetCancel(connection_.get());
  if (cancel == nullptr) return;
  PQcancel(cancel, text, sizeof text);
  PQfreeCancel(cancel);
}

int Session::pid() const {
  return PQbackendPID(connection_.get());
}

}  // namespace holdfast::postgres_servers
