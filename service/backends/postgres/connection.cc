#include "service/backends/postgres/connection.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <charconv>
#include <fstream>
#include <span>

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
std::string SessionOptions(const PostgresOptions& options, Connection::Purpose purpose) {
  std::string text;
  const auto set = [&text](std::string_view name, std::string_view value) {
    text.append(text.empty() ? "-c " : " -c ").append(name).append("=").append(value);
  };
  const bool statistics = purpose == Connection::Purpose::kStatistics;
  set("statement_timeout",
      std::to_string((statistics ? options.statistics_timeout : options.statement_timeout).count()));
  set("lock_timeout", std::to_string((statistics ? options.statistics_timeout : options.lock_timeout).count()));
  set("idle_in_transaction_session_timeout", std::to_string(options.idle_in_transaction_timeout.count()));
  set("client_min_messages", "warning");
  // The server's log is not for what clients store. What it logs of statements that succeed is not ours to set.
  set("log_parameter_max_length_on_error", "0");
  set("default_transaction_isolation", "read\\ committed");
  // Every statement here finds its rows by an index. A plan made while the table was small would read all of it.
  set("enable_seqscan", "off");
  set("jit", "off");
  if (purpose == Connection::Purpose::kReplica) set("default_transaction_read_only", "on");
  if (!options.synchronous_commit.empty()) set("synchronous_commit", options.synchronous_commit);
  return text;
}

bool Direct(const PostgresOptions& options, Connection::Purpose purpose) {
  const bool straight = purpose == Connection::Purpose::kNotifications || purpose == Connection::Purpose::kStatistics;
  return straight && !options.direct_url.empty();
}

std::string_view ApplicationName(Connection::Purpose purpose) {
  if (purpose == Connection::Purpose::kReplica) return "holdfast-replica";
  return purpose == Connection::Purpose::kStatistics ? "holdfast-statistics" : "holdfast";
}

Result<std::string> ConnectionUrl(const PostgresOptions& options, Connection::Purpose purpose,
                                  std::span<const HostAndPort> hosts) {
  const bool direct = Direct(options, purpose);
  const bool replica = purpose == Connection::Purpose::kReplica;
  std::string url = direct ? options.direct_url : options.url;
  if (hosts.size() > 1) {
    std::string names;
    std::string ports;
    for (const HostAndPort& host : hosts) {
      names.append(names.empty() ? "" : ",").append(host.host);
      ports.append(ports.empty() ? "" : ",").append(host.port);
    }
    Append(url, "host", names);
    Append(url, "port", ports);
  }
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(options.connect_timeout);
  Append(url, "connect_timeout", std::to_string(seconds.count()));
  Append(url, "application_name", ApplicationName(purpose));
  Append(url, "client_encoding", "UTF8");
  Append(url, "keepalives_idle", "15");
  Append(url, "keepalives_interval", "5");
  Append(url, "keepalives_count", "3");
  // Of several hosts the one that is no standby.
  Append(url, "target_session_attrs", replica ? "any" : "read-write");
  if (!options.pooled || direct) Append(url, "options", SessionOptions(options, purpose));
  if (!options.password_file.empty()) {
    HOLDFAST_ASSIGN_OR_RETURN(const std::string password, FirstLineOf(options.password_file));
    Append(url, "password", password);
  }
  return url;
}

const Statement kRole{"role", "SELECT pg_is_in_recovery()", StatementKind::kRead};
// Of the WAL that is written now: the control file learns of a promotion only at the next checkpoint.
const Statement kTimeline{"timeline",
                          "SELECT (SELECT system_identifier FROM pg_control_system()), "
                          "left(pg_walfile_name(pg_current_wal_lsn()), 8)",
                          StatementKind::kRead};

// After a write that was cut: for so long each further one asks first.
constexpr std::chrono::seconds kSuspicion{30};
const Statement kWaitingForStandby{
    "waiting_for_standby",
    "SELECT count(*) FROM pg_stat_activity WHERE usename = current_user AND wait_event = 'SyncRep'",
    StatementKind::kRead};

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

Connection::Connection(const PostgresOptions& options, Purpose purpose, Watchdog& watchdog)
    : options_(options),
      watchdog_(watchdog),
      purpose_(purpose),
      prepares_(!options.pooled || Direct(options, purpose)) {}

Connection::~Connection() = default;

Result<std::unique_ptr<Connection>> Connection::Open(const PostgresOptions& options, Purpose purpose,
                                                     PrimaryChoice& choice, Watchdog& watchdog) {
  const std::string& given = Direct(options, purpose) ? options.direct_url : options.url;
  Status refused;
  // One more for each host, because whoever is refused is asked last the next time.
  for (std::size_t tried = 0;; ++tried) {
    const std::vector<HostAndPort> hosts =
        purpose == Purpose::kReplica ? std::vector<HostAndPort>() : choice.Order(given);
    HOLDFAST_ASSIGN_OR_RETURN(const std::string url, ConnectionUrl(options, purpose, hosts));
    std::unique_ptr<Connection> connection(new Connection(options, purpose, watchdog));
    HOLDFAST_RETURN_IF_ERROR(connection->Connect(url));
    if (purpose == Purpose::kReplica) return connection;
    refused = connection->Check(&choice);
    if (refused.ok()) return connection;
    if (tried + 1 >= hosts.size()) return refused.error();
  }
}

Status Connection::Connect(const std::string& url) {
  try {
    connection_ = std::make_unique<pqxx::connection>(url);
    notices_ = std::make_unique<Notices>(*connection_);
  } catch (const std::exception& thrown) {
    return ConnectFailure(thrown);
  }
  return {};
}

Status Connection::Check(PrimaryChoice* choice) {
  const Answered asked = RunPlain(kTimeline, Deadline::After(options_.connect_timeout));
  if (!asked.ok()) return asked.failure->error;
  TimelineOf written;
  written.system = asked.rows[0][0].c_str();
  const std::string_view digits = asked.rows[0][1].c_str();
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), written.timeline, 16);
  if (parsed.ec != std::errc()) return Error(ErrorCode::kInternal, "PostgreSQL names no timeline");
  const char* host = connection_->hostname();
  const char* port = connection_->port();
  // Not asked for afterwards: another connection may find a newer primary in between.
  HOLDFAST_ASSIGN_OR_RETURN(primary_changes_,
                            choice->Take({host == nullptr ? "" : host, port == nullptr ? "" : port}, written));
  choice_ = choice;
  return {};
}

bool Connection::Answers(Deadline deadline) {
  const Answered asked = RunPlain(kRole, deadline);
  if (!asked.ok()) return false;
  if (purpose_ == Purpose::kReplica) return true;
  refused_writes_ = asked.rows[0][0].c_str()[0] == 't';
  if (refused_writes_) usable_ = false;
  return !refused_writes_;
}

void Connection::Prepare(const Statement& statement) {
  if (!prepares_ || !statement.prepared) return;
  if (prepared_.insert(statement.name).second) connection_->prepare(statement.name, statement.text);
}

std::optional<StatementFailure> Connection::TooManyWait(Deadline deadline) {
  if (!watchdog_.WriteWasCutWithin(kSuspicion)) return std::nullopt;
  const Answered asked = Run(kWaitingForStandby, deadline);
  if (!asked.ok()) return asked.failure;
  const int waiting = asked.rows[0][0].as<int>();
  if (waiting > 0) watchdog_.WriteWasCut();
  if (waiting < options_.max_connections) return std::nullopt;
  return StatementFailure{
      Error(
          ErrorCode::kUnavailable,
          fmt::format("{} commits wait for PostgreSQL's synchronous standby, which does not confirm them; no more are "
                      "sent until some are done (at pool_max, {})",
                      waiting, options_.max_connections)),
      ""};
}

Answered Connection::Guarded(const Statement& statement, Deadline deadline,
                             const std::function<pqxx::result(pqxx::transaction_base&)>& run) {
  Answered answered;
  const bool write = statement.kind == StatementKind::kWrite;
  const auto begin = std::chrono::steady_clock::now();
  notices_->Reset();
  Watchdog::Watch watch(watchdog_, connection_->sock(), deadline);
  try {
    Prepare(statement);
    pqxx::nontransaction transaction(*connection_);
    answered.rows = run(transaction);
    if (write && notices_->seen()) {
      answered.failure = StatementFailure{
          Error(ErrorCode::kOutcomeUnknown,
                fmt::format("the server committed with a warning ({}): the write may be lost", notices_->text())),
          "01000"};
    }
  } catch (const std::exception& thrown) {
    answered.failure = FailureOf(thrown, statement.kind, connection_->is_open(), watch.fired());
  }
  // Cut in the moment in which the answer came.
  if (watch.fired()) {
    usable_ = false;
    if (write) watchdog_.WriteWasCut();
  }
  if (answered.failure) {
    const std::string& sqlstate = answered.failure->sqlstate;
    // 55000: a standby was asked for a place in the log that it writes.
    refused_writes_ = sqlstate == "25006" || sqlstate == "55000";
    // 0A000, 26000: what was prepared does not fit the tables any more, or is gone.
    if (answered.failure->connection_lost || refused_writes_ || sqlstate == "0A000" || sqlstate == "26000") {
      usable_ = false;
    }
  }
  Log(statement, begin, answered);
  return answered;
}

Answered Connection::RunPlain(const Statement& statement, Deadline deadline) {
  return Guarded(statement, deadline,
                 [&](pqxx::transaction_base& transaction) { return transaction.exec(statement.text); });
}

void Connection::Log(const Statement& statement, std::chrono::steady_clock::time_point begin,
                     const Answered& answered) const {
  const bool watch_for_slow = options_.slow_statement.count() != 0;
  if (!watch_for_slow && !options_.log_statements) return;
  const auto took = std::chrono::steady_clock::now() - begin;
  const bool slow = watch_for_slow && took >= options_.slow_statement;
  if (!slow && !options_.log_statements) return;
  // The message of a failure is the caller's to report; it may quote what a client has sent.
  const std::string result = answered.ok()                        ? "ok"
                             : answered.failure->sqlstate.empty() ? "lost"
                                                                  : answered.failure->sqlstate;
  log::Write(slow ? log::Level::kWarn : log::Level::kInfo, slow ? "slow statement" : "statement",
             {{"statement", statement.name},
              {"milliseconds", std::chrono::duration_cast<std::chrono::milliseconds>(took).count()},
              {"rows", answered.rows.size()},
              {"result", result}});
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
