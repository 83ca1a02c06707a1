// One connection for migrations, straight on libpq: statement by statement with a client's deadline for each, which
// libpqxx does not give, so that a server that stopped answering cannot hold a run for ever. Not thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"

struct pg_conn;

namespace holdfast::migrations {

// Where the schema is.
struct Target {
  std::string url;       // a libpq URI or connection string
  std::string password;  // stands above one in the url; empty = none given
  std::string schema = "holdfast";
};

// 1..63 bytes, not of PostgreSQL's own (pg_...); anything else may stand in it, quotes and blanks included.
Status ValidateSchemaName(const std::string& schema);
// "name", with quotes in it doubled.
std::string QuotedName(std::string_view name);

using Row = std::vector<std::optional<std::string>>;

class Connection {
 public:
  enum class Access {
    kRead,   // any server the url names
    kWrite,  // of several hosts the primary; a replica is refused
  };
  // kInvalidArgument for a url that is none, without repeating it: it may hold the password. kUnavailable otherwise.
  static Result<Connection> Open(const Target& target, Access access, Deadline deadline);
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();

  // One statement with $1, $2 ... as text. kUnavailable when the connection is lost; kDeadlineExceeded when nothing
  // came in time: the connection is closed then, and the server undoes what was open. Anything else the server says is
  // kInternal with its words; see sqlstate().
  Result<std::vector<Row>> Run(const std::string& sql, Deadline deadline, const Row& parameters = {});
  Status Execute(const std::string& sql, Deadline deadline, const Row& parameters = {});
  // The first column of the first row.
  Result<std::optional<std::string>> Value(const std::string& sql, Deadline deadline, const Row& parameters = {});

  // Asked several times a second while a statement runs: true ends it with kCancelled and closes the connection.
  void StopWhen(std::function<bool()> stop) { stop_ = std::move(stop); }

  // Of the last statement that failed: "55P03"; "" when it was not the server that said so.
  const std::string& sqlstate() const { return sqlstate_; }
  bool open() const;
  // The process behind it as the start of the connection named it. Behind a pooler the statements run elsewhere.
  int backend_pid() const;
  int server_version() const;  // 150020

 private:
  explicit Connection(pg_conn* connection) : connection_(connection) {}
  Status Await(Deadline deadline);
  Error Lost(std::string_view what);

  struct Close {
    void operator()(pg_conn* connection) const;
  };
  std::unique_ptr<pg_conn, Close> connection_;
  std::string sqlstate_;
  std::function<bool()> stop_;
};

}  // namespace holdfast::migrations
