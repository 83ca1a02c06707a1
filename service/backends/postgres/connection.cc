#include "service/backends/postgres/connection.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <fstream>

#include "base/log/log.h"

namespace holdfast::storage::postgres {
namespace {

std::string Percent(std::string_view text) {
  std::string encoded;
  for (const char byte : text) {
    const auto code = static_cast<unsigned char>(byte);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
    if (plain) {
      encoded.push_back(byte);
    } else {
      fmt::format_to(std::back_inserter(encoded), "%{:02X}", code);
    }
  }
  return encoded;
}

// A parameter given twice counts as given last.
void Append(std::string& url, std::string_view name, std::string_view value) {
  url.push_back(url.find('?') == std::string::npos ? '?' : '&');
  url.append(name).append("=").append(Percent(value));
}

Result<std::string> FirstLineOf(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line) || line.empty()) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("cannot read a password from {}; write it into the first line", path));
  }
  return line;
}

// What the session begins with. Behind a pooler sessions are shared, and it refuses what it does not know.
std::string SessionOptions(const PostgresOptions& options) {
  std::string text;
  const auto set = [&text](std::string_view name, std::string_view value) {
    text.append(text.empty() ? "-c " : " -c ").append(name).append("=").append(value);
  };
  set("statement_timeout", std::to_string(options.statement_timeout.count()));
  set("lock_timeout", std::to_string(options.lock_timeout.count()));
  set("idle_in_transaction_session_timeout", std::to_string(options.idle_in_transaction_timeout.count()));
  set("client_min_messages", "warning");
  // The server's log is not for what clients store. What it logs of statements that succeed is not ours to set.
  set("log_parameter_max_length_on_error", "0");
  set("default_transaction_isolation", "read\\ committed");
  // Every statement here finds its rows by an index. A plan made while the table was small would read all of it.
  set("enable_seqscan", "off");
  set("jit", "off");
  if (!options.synchronous_commit.empty()) set("synchronous_commit", options.synchronous_commit);
  return text;
}

Result<std::string> ConnectionUrl(const PostgresOptions& options, Connection::Purpose purpose) {
  const bool direct = purpose == Connection::Purpose::kNotifications;
  std::string url = direct && !options.direct_url.empty() ? options.direct_url : options.url;
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(options.connect_timeout);
  Append(url, "connect_timeout", std::to_string(seconds.count()));
  Append(url, "application_name", "holdfast");
  Append(url, "client_encoding", "UTF8");
  Append(url, "keepalives_idle", "15");
  Append(url, "keepalives_interval", "5");
  Append(url, "keepalives_count", "3");
  // Of several hosts the one that is no standby.
  Append(url, "target_session_attrs", "read-write");
  if (!options.pooled || (direct && !options.direct_url.empty())) Append(url, "options", SessionOptions(options));
  if (!options.password_file.empty()) {
    HOLDFAST_ASSIGN_OR_RETURN(const std::string password, FirstLineOf(options.password_file));
    Append(url, "password", password);
  }
  return url;
}

}  // namespace

// Our functions raise nothing below an error. What comes nevertheless with a write is the server's warning that the
// commit was not confirmed by a standby: "canceling wait for synchronous replication".
class Connection::Notices : public pqxx::errorhandler {
 public:
  explicit Notices(pqxx::connection_base& connection) : errorhandler(connection) {}
  bool operator()(const char message[]) noexcept override {
    seen_ = true;
    const std::string_view text(message);
    try {
      text_ = text.substr(0, text.find('\n'));
    } catch (const std::exception&) {
      text_.clear();  // only its words are lost
    }
    return false;
  }
  void Reset() { seen_ = false; }
  bool seen() const { return seen_; }
  const std::string& text() const { return text_; }

 private:
  bool seen_ = false;
  std::string text_;
};

Connection::Connection(const PostgresOptions& options, Watchdog& watchdog, bool prepares)
    : options_(options), watchdog_(watchdog), prepares_(prepares) {}

Connection::~Connection() = default;

Result<std::unique_ptr<Connection>> Connection::Open(const PostgresOptions& options, Purpose purpose,
                                                     Watchdog& watchdog) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::string url, ConnectionUrl(options, purpose));
  const bool direct = purpose == Purpose::kNotifications && !options.direct_url.empty();
  std::unique_ptr<Connection> connection(new Connection(options, watchdog, !options.pooled || direct));
  try {
    connection->connection_ = std::make_unique<pqxx::connection>(url);
    connection->notices_ = std::make_unique<Notices>(*connection->connection_);
  } catch (const std::exception& thrown) {
    return ConnectFailure(thrown);
  }
  return connection;
}

void Connection::Prepare(const Statement& statement) {
  if (prepares_ && prepared_.insert(statement.name).second) connection_->prepare(statement.name, statement.text);
}

Answered Connection::Guarded(const Statement& statement, Deadline deadline,
                             const std::function<pqxx::result(pqxx::transaction_base&)>& run) {
  Answered answered;
  const auto begin = std::chrono::steady_clock::now();
  notices_->Reset();
  Watchdog::Watch watch(watchdog_, connection_->sock(), deadline);
  try {
    Prepare(statement);
    pqxx::nontransaction transaction(*connection_);
    answered.rows = run(transaction);
    if (statement.kind == StatementKind::kWrite && notices_->seen()) {
      answered.failure = StatementFailure{
          Error(ErrorCode::kOutcomeUnknown,
                fmt::format("the server committed with a warning ({}): the write may be lost", notices_->text())),
          "01000"};
    }
  } catch (const std::exception& thrown) {
    answered.failure = FailureOf(thrown, statement.kind, connection_->is_open(), watch.fired());
  }
  // Cut in the moment in which the answer came.
  if (watch.fired()) usable_ = false;
  if (answered.failure) {
    const std::string& sqlstate = answered.failure->sqlstate;
    refused_writes_ = sqlstate == "25006";
    // 0A000, 26000: what was prepared does not fit the tables any more, or is gone.
    if (answered.failure->connection_lost || refused_writes_ || sqlstate == "0A000" || sqlstate == "26000") {
      usable_ = false;
    }
  }
  LogIfSlow(statement, begin, answered.rows.size());
  return answered;
}

Answered Connection::RunPlain(const Statement& statement, Deadline deadline) {
  return Guarded(statement, deadline,
                 [&](pqxx::transaction_base& transaction) { return transaction.exec(statement.text); });
}

void Connection::LogIfSlow(const Statement& statement, std::chrono::steady_clock::time_point begin,
                           std::size_t rows) const {
  if (options_.slow_statement.count() == 0) return;
  const auto took = std::chrono::steady_clock::now() - begin;
  if (took < options_.slow_statement) return;
  log::Warn("slow statement", {{"statement", statement.name},
                               {"milliseconds", std::chrono::duration_cast<std::chrono::milliseconds>(took).count()},
                               {"rows", rows}});
}

bool Connection::HungUp() const {
  char byte = 0;
  const ssize_t peeked = ::recv(connection_->sock(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  // A server has nothing to say to an idle connection but that it ends.
  return peeked >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

Result<int> Connection::TakeNotifications() {
  try {
    return connection_->get_notifs();
  } catch (const std::exception& thrown) {
    usable_ = false;
    return Error(ErrorCode::kUnavailable, fmt::format("the connection for notifications was lost: {}", thrown.what()));
  }
}

}  // namespace holdfast::storage::postgres
