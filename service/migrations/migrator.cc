#include "service/migrations/migrator.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "service/migrations/records.h"
#include "service/migrations/runner_lock.h"

namespace holdfast::migrations {
namespace {

using std::chrono::milliseconds;

// What the server may need beyond its own timeouts to say that they are over.
constexpr std::chrono::seconds kGrace{30};

constexpr std::string_view kLockNotAvailable = "55P03";
constexpr std::string_view kDeadlockDetected = "40P01";

class Run {
 public:
  Run(Connection connection, const Target& target, const MigratorOptions& options)
      : connection_(std::move(connection)), target_(target), options_(options) {}

  Result<Migrated> Execute(const MigrationSet& known, const Goal& goal) {
    HOLDFAST_RETURN_IF_ERROR(CheckServer());
    HOLDFAST_RETURN_IF_ERROR(Settings());
    HOLDFAST_RETURN_IF_ERROR(AcquireRunnerLock(connection_, target_.schema, Deadline::After(options_.runner_wait),
                                               [&](const std::string& holder) {
                                                 Report({Progress::Event::kWaiting, nullptr, 0, holder});
                                               }));
    // Behind the lock: another runner may have done the work meanwhile.
    HOLDFAST_ASSIGN_OR_RETURN(std::vector<Record> records, ReadRecords(connection_, target_.schema, Patience()));
    const SchemaState state = Compare(known, std::move(records));
    Migrated migrated;
    HOLDFAST_ASSIGN_OR_RETURN(migrated.steps, MakePlan(known, state, goal));
    migrated.from = state.version;
    migrated.to = state.version;
    if (migrated.steps.empty()) return migrated;
    HOLDFAST_RETURN_IF_ERROR(
        MakeRecords(connection_, target_.schema, Patience()).WithContext("making the table schema_migrations"));
    for (const Step& step : migrated.steps) {
      HOLDFAST_RETURN_IF_ERROR(Apply(step).WithContext(step.script().file));
      migrated.to = step.migration->number - (step.direction == Direction::kDown ? 1 : 0);
    }
    return migrated;
  }

 private:
  void Report(const Progress& progress) const {
    if (options_.on_progress) options_.on_progress(progress);
  }

  Deadline Patience() const {
    if (options_.statement_timeout == milliseconds::zero()) return Deadline::Infinite();
    return Deadline::After(options_.statement_timeout + options_.lock_timeout + kGrace);
  }

  Status CheckServer() {
    HOLDFAST_ASSIGN_OR_RETURN(const auto pid, connection_.Value("SELECT pg_backend_pid()", Patience()));
    // PQbackendPID is what the other end named at the start: a pooler makes that up.
    if (pid != fmt::format("{}", connection_.backend_pid())) {
      return Error(
          ErrorCode::kFailedPrecondition,
          "the connection goes through a pooler, which gives statements to different sessions; migrations need "
          "the server itself: name its own host and port (HOLDFAST_MIGRATION_URL or --url-file)");
    }
    return {};
  }

  Status Settings() {
    // search_path: pg_temp is named last, so that nobody's temporary table stands in front of ours in a function that
    // keeps this path. client_connection_check_interval: a server whose client was killed stops waiting and lets go of
    // the lock. synchronous_commit: whatever a role is configured to do, a step that was acknowledged is on disk.
    return connection_.Execute(
        "SELECT set_config('search_path', $1, false), set_config('standard_conforming_strings', 'on', false), "
        "set_config('client_min_messages', 'warning', false), "
        "set_config('client_connection_check_interval', '1s', false), "
        "set_config('idle_in_transaction_session_timeout', '0', false), set_config('idle_session_timeout', '0', "
        "false), "
        "set_config('default_transaction_isolation', 'read committed', false), "
        "set_config('default_transaction_read_only', 'off', false), set_config('synchronous_commit', 'on', false), "
        "set_config('lock_timeout', $2, false), set_config('statement_timeout', $3, false)",
        Patience(),
        {QuotedName(target_.schema) + ", pg_temp", fmt::format("{}ms", options_.lock_timeout.count()),
         fmt::format("{}ms", options_.statement_timeout.count())});
  }

  Status Apply(const Step& step) {
    Report({Progress::Event::kStep, &step, 0, step.script().file});
    if (!step.script().transactional) return ApplyWithoutTransaction(step);
    for (int attempt = 1;; ++attempt) {
      Status status = ApplyInTransaction(step);
      if (status.ok()) return status;
      const std::string state = connection_.sqlstate();
      if (connection_.open()) {
        // The error that counts is the first one.
        static_cast<void>(connection_.Execute("ROLLBACK", Patience()));
      }
      if (state != kLockNotAvailable && state != kDeadlockDetected) return status;
      if (attempt == options_.lock_attempts) {
        return std::move(status).WithContext(
            fmt::format("undone after {} attempts: others hold locks for longer than migrations.lock_timeout; end "
                        "them, or raise it",
                        attempt));
      }
      Report({Progress::Event::kLockTimeout, &step, 0, status.error().message()});
      std::this_thread::sleep_for(options_.lock_pause);
    }
  }

  Status ApplyInTransaction(const Step& step) {
    HOLDFAST_RETURN_IF_ERROR(connection_.Execute("BEGIN", Patience()));
    const std::vector<Statement>& statements = step.script().statements;
    for (std::size_t i = 0; i < statements.size(); ++i) HOLDFAST_RETURN_IF_ERROR(RunStatement(step, i));
    const bool up = step.direction == Direction::kUp;
    HOLDFAST_RETURN_IF_ERROR(Keep(step, up ? std::optional(Record::State::kApplied) : std::nullopt));
    return Commit(step);
  }

  // Every statement is a transaction of its own here, so that the record stands around them.
  Status ApplyWithoutTransaction(const Step& step) {
    const bool up = step.direction == Direction::kUp;
    HOLDFAST_RETURN_IF_ERROR(KeepAlone(step, up ? Record::State::kApplying : Record::State::kReverting));
    // These wait for transactions to end without standing in anybody's way.
    HOLDFAST_RETURN_IF_ERROR(connection_.Execute("SET lock_timeout = 0", Patience()));
    const std::vector<Statement>& statements = step.script().statements;
    for (std::size_t i = 0; i < statements.size(); ++i) {
      HOLDFAST_RETURN_IF_ERROR(DropInvalidIndex(statements[i]));
      HOLDFAST_RETURN_IF_ERROR(RunStatement(step, i));
    }
    HOLDFAST_RETURN_IF_ERROR(
        connection_.Execute(fmt::format("SET lock_timeout = {}", options_.lock_timeout.count()), Patience()));
    return KeepAlone(step, up ? std::optional(Record::State::kApplied) : std::nullopt);
  }

  Status RunStatement(const Step& step, std::size_t index) {
    const Statement& statement = step.script().statements[index];
    Report({Progress::Event::kStatement, &step, index + 1, statement.Summary()});
    return connection_.Execute(statement.text, Patience())
        .WithContext(fmt::format("line {}: {}", statement.line, statement.Summary()));
  }

  // IF NOT EXISTS would be content with what an interrupted CREATE INDEX CONCURRENTLY left behind.
  Status DropInvalidIndex(const Statement& statement) {
    constexpr std::string_view kNameFollows = "CONCURRENTLY IF NOT EXISTS ";
    const std::size_t found = statement.words.find(kNameFollows);
    if (found == std::string::npos) return {};
    std::string name = statement.words.substr(found + kNameFollows.size());
    if (name.starts_with('"')) {
      name = name.substr(0, name.find('"', 1) + 1);
    } else {
      name = name.substr(0, name.find(' '));
      std::transform(name.begin(), name.end(), name.begin(),
                     [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    }
    HOLDFAST_ASSIGN_OR_RETURN(
        const auto invalid,
        connection_.Value("SELECT 1 FROM pg_index WHERE indexrelid = to_regclass($1) AND NOT indisvalid", Patience(),
                          {name}));
    if (!invalid) return {};
    return connection_.Execute("DROP INDEX CONCURRENTLY IF EXISTS " + name, Patience())
        .WithContext(fmt::format("removing the incomplete index {}", name));
  }

  // Without a state the record is removed.
  Status Keep(const Step& step, std::optional<Record::State> state) {
    Report({Progress::Event::kRecord, &step, 0, ""});
    const Status kept = state ? WriteRecord(connection_, *step.migration, *state, options_.release, Patience())
                              : RemoveRecord(connection_, *step.migration, Patience());
    return Status(kept).WithContext("recording the step");
  }

  Status KeepAlone(const Step& step, std::optional<Record::State> state) {
    HOLDFAST_RETURN_IF_ERROR(connection_.Execute("BEGIN", Patience()));
    HOLDFAST_RETURN_IF_ERROR(Keep(step, state));
    return Commit(step);
  }

  Status Commit(const Step& step) {
    Report({Progress::Event::kCommit, &step, 0, ""});
    Status status = connection_.Execute("COMMIT", Patience());
    if (status.ok() || connection_.open()) return status;
    return Error(ErrorCode::kOutcomeUnknown,
                 fmt::format("the connection was lost during COMMIT ({}); whether the step took effect is not known: "
                             "run it again, it goes on from where the schema stands",
                             status.error().message()));
  }

  Connection connection_;
  const Target& target_;
  const MigratorOptions& options_;
};

}  // namespace

Result<SchemaState> ReadSchemaState(const Target& target, const MigrationSet& known, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(Connection connection, Connection::Open(target, Connection::Access::kRead, deadline));
  HOLDFAST_ASSIGN_OR_RETURN(std::vector<Record> records, ReadRecords(connection, target.schema, deadline));
  return Compare(known, std::move(records));
}

Result<std::vector<std::string>> FindDefects(const Target& target, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(Connection connection, Connection::Open(target, Connection::Access::kRead, deadline));
  HOLDFAST_ASSIGN_OR_RETURN(
      const auto rows,
      connection.Run(
          "SELECT format('index %s is not valid; run: REINDEX INDEX CONCURRENTLY %s', i.indexrelid::regclass, "
          "i.indexrelid::regclass) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace "
          "n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'i' AND NOT i.indisvalid UNION "
          "ALL SELECT format('constraint %I of %s is not validated; run: ALTER TABLE %s VALIDATE CONSTRAINT "
          "%I', k.conname, k.conrelid::regclass, k.conrelid::regclass, k.conname) FROM pg_constraint k JOIN "
          "pg_namespace n ON n.oid = k.connamespace WHERE n.nspname = $1 AND NOT k.convalidated ORDER BY 1",
          deadline, {target.schema}));
  std::vector<std::string> defects;
  for (const Row& row : rows) defects.push_back(row[0].value_or(""));
  return defects;
}

Result<Migrated> Migrate(const Target& target, const MigrationSet& known, const Goal& goal,
                         const MigratorOptions& options) {
  HOLDFAST_ASSIGN_OR_RETURN(Connection connection, Connection::Open(target, Connection::Access::kWrite,
                                                                    Deadline::After(options.connect_timeout)));
  return Run(std::move(connection), target, options).Execute(known, goal);
}

}  // namespace holdfast::migrations
