// A connection of the test itself, on libpq and not on what the product uses: what a test observes must not depend on
// what it tests. Not thread-safe; Cancel may be called from another thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result/result.h"

struct pg_conn;

namespace holdfast::postgres_servers {

using Row = std::vector<std::optional<std::string>>;

struct Answer {
  std::vector<std::string> columns;
  std::vector<Row> rows;
  long affected = 0;  // rows written, when the statement writes
};

class Session {
 public:
  // A libpq connection string or URI. Gives up after 10 s.
  static Result<Session> Open(const std::string& target);
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  // Closes; a transaction that is open is rolled back by the server.
  ~Session();

  // Several statements, separated by semicolons, are one implicit transaction; the answer is the last one's. The text
  // of an error is the server's own, beginning with the SQLSTATE: "40001: could not serialize ...".
  Result<Answer> Query(const std::string& sql);
  // One statement with $1, $2 ... as text (bytea as \x...).
  Result<Answer> Query(const std::string& sql, const Row& parameters);
  Status Execute(const std::string& sql);
  // The first column of the first row; "" for NULL and for no row.
  Result<std::string> Value(const std::string& sql);

  // Sends without waiting, for a statement that is to block; Finish waits for its answer.
  Status Send(const std::string& sql);
  Result<Answer> Finish();
  // Asks the server to give up the statement that runs.
  void Cancel();
  // The server process behind it.
  int pid() const;

 private:
  explicit Session(pg_conn* connection) : connection_(connection) {}

  struct Close {
    void operator()(pg_conn* connection) const;
  };
  std::unique_ptr<pg_conn, Close> connection_;
};

}  // namespace holdfast::postgres_servers
