// One connection to the server and the statements that go over it. What libpqxx throws is caught here.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <pqxx/pqxx>
#include <set>
#include <string>

#include "base/pool/connection_pool.h"
#include "base/result/result.h"
#include "service/backends/postgres/postgres_error.h"
#include "service/backends/postgres/postgres_options.h"
#include "service/backends/postgres/primary_choice.h"
#include "service/backends/postgres/watchdog.h"

namespace holdfast::storage::postgres {

struct Statement {
  std::string name;  // in the slow-statement log, and of the prepared statement
  std::string text;
  StatementKind kind = StatementKind::kRead;
  bool prepared = true;  // false: planned anew each time, for the values it has then; clients choose among many of them
};

struct Answered {
  pqxx::result rows;
  std::optional<StatementFailure> failure;
  bool ok() const { return !failure.has_value(); }
};

// One thread at a time.
class Connection final : public pool::Pooled {
 public:
  enum class Purpose {
    kStatements,     // to the primary, as the options say
    kNotifications,  // straight to it, for LISTEN
    kStatistics,     // the same, for its own views; statements last at most statistics_timeout
    kReplica,        // to whatever server the url names; writes are refused
  };

  // Waits at most connect_timeout for each host. To the primary: the server has been found to take writes and to be the
  // newest that does (primary_choice.h). It stays one as long as the connection lasts: PostgreSQL makes no standby of a
  // primary without ending its sessions. `watchdog` and `options` outlive it. kUnavailable names host and reason.
  static Result<std::unique_ptr<Connection>> Open(const PostgresOptions& options, Purpose purpose,
                                                  PrimaryChoice& choice, Watchdog& watchdog);
  ~Connection() override;

  // Runs one statement with bound parameters; outside a transaction it commits by itself.
  template <typename... Parameters>
  Answered Run(const Statement& statement, Deadline deadline, const Parameters&... parameters) {
    if (statement.kind == StatementKind::kWrite) {
      if (auto refused = TooManyWait(deadline)) return {{}, std::move(refused)};
    }
    return Guarded(statement, deadline, [&](pqxx::transaction_base& transaction) {
      return prepares_ && statement.prepared ? transaction.exec_prepared(statement.name, parameters...)
                                             : transaction.exec_params(statement.text, parameters...);
    });
  }
  // The same without parameters and never prepared: BEGIN, LISTEN and the like.
  Answered RunPlain(const Statement& statement, Deadline deadline);

  // False once it was lost or refused writes, or another server has become the primary: nothing more should be asked of
  // it.
  bool usable() const override { return usable_ && (choice_ == nullptr || choice_->changes() == primary_changes_); }
  // It leads to a standby: so will others that were opened before.
  bool misdirected() const override { return refused_writes_; }
  // Whether the server has closed it, found without a round trip.
  bool HungUp() const override;
  // Asks the server, which takes a round trip, whether it answers and is still what it was taken for.
  bool Answers(Deadline deadline) override;
  // For poll; readable when a notification may be there.
  int socket() const { return connection_->sock(); }
  // Notifications that have come since the last call; an error when the connection is lost.
  Result<int> TakeNotifications();
  std::chrono::steady_clock::time_point opened_at() const override { return opened_at_; }

 private:
  class Notices;

  Connection(const PostgresOptions& options, Purpose purpose, Watchdog& watchdog);
  Status Connect(const std::string& url);
  // Which server libpq has chosen, and whether it may be.
  Status Check(PrimaryChoice* choice);
  // PostgreSQL ends a commit's wait for its standby for no client that goes: each write that was given up keeps a
  // session, and those that follow would take others, until reads find none left. Why a write is not sent; nullopt: it
  // may be.
  std::optional<StatementFailure> TooManyWait(Deadline deadline);
  Answered Guarded(const Statement& statement, Deadline deadline,
                   const std::function<pqxx::result(pqxx::transaction_base&)>& run);
  void Prepare(const Statement& statement);
  void Log(const Statement& statement, std::chrono::steady_clock::time_point begin, const Answered& answered) const;

  const PostgresOptions& options_;
  Watchdog& watchdog_;
  const Purpose purpose_;
  const bool prepares_;
  const std::chrono::steady_clock::time_point opened_at_ = std::chrono::steady_clock::now();
  PrimaryChoice* choice_ = nullptr;    // of a connection to the primary
  std::uint64_t primary_changes_ = 0;  // when it was opened
  bool usable_ = true;
  bool refused_writes_ = false;
  std::set<std::string> prepared_;
  std::unique_ptr<pqxx::connection> connection_;
  std::unique_ptr<Notices> notices_;  // behind connection_, which must not outlive it in use
};

}  // namespace holdfast::storage::postgres
