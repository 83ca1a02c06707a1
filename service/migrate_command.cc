#include "service/migrate_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include "base/log/log.h"
#include "service/migrations/migrator.h"
#include "service/migrations/report.h"
#include "service/schema_check.h"
#include "service/settings_postgres.h"

namespace holdfast::service {
namespace {

using migrations::Direction;
using migrations::Goal;
using migrations::MigrationSet;
using migrations::Progress;
using migrations::SchemaState;
using migrations::Step;

constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kNotAsNeeded = 3;
constexpr int kUnknown = 4;

constexpr const char* kUrlVariable = "HOLDFAST_MIGRATION_URL";

constexpr cli::Option kOptions[] = {
    {"--to", "N", "the step to end at; up: default the latest; 0 is the empty schema"},
    {"--backend", "NAME", "the backend of the settings; needed when several are of type postgres"},
    {"--schema", "NAME", "default: that of the backend, else holdfast"},
    {"--url-file", "FILE", "its first line is the server's url; default: $HOLDFAST_MIGRATION_URL, else the backend's"},
    {"--from", "FOLDER", "read the steps from this folder instead of those built in"},
    {"--dry-run", "", "up, down: print the SQL instead of running it"},
    {"--allow-data-loss", "", "down: also run files that destroy what clients stored"},
    {"--json", "", "status, verify, plan: print one JSON document"},
    {"--help", "", "this text"},
};

constexpr cli::Command kCommand = {
    "migrate",
    "up|down|status|verify|plan [--config FILE] [--SETTING=VALUE ...]",
    "Brings the schema of a PostgreSQL backend from step to step.",
    "  up       applies what is missing, up to --to N\n"
    "  down     takes steps back down to --to N\n"
    "  status   which steps are applied; exit 3 when the schema is not as this binary needs it\n"
    "  verify   the same, and looks for indexes and constraints that are not valid\n"
    "  plan     which steps up or down to --to N would run\n\n"
    "A run may be interrupted at any point and repeated. Of several runs at the same time one works and the others "
    "wait.\n\n"
    "Exit codes: 0 ok, 1 a step failed and was undone or the server cannot be reached,\n"
    "2 wrong usage or settings, 3 the schema is not what this binary needs, 4 the\n"
    "outcome of a step is not known: run it again",
    1,
    1,
    kOptions,
};

int UsageError(const Error& error) {
  return cli::UsageError("migrate", error);
}

Error Usage(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

// The backend that is meant, or none when there is none of type postgres and none was asked for.
Result<const BackendSettings*> FindBackend(const ServiceSettings& settings, const std::string& wanted) {
  const BackendSettings* found = nullptr;
  for (const BackendSettings& backend : settings.backends) {
    const auto* options = std::get_if<storage::PostgresOptions>(&backend.options);
    if (!wanted.empty() && backend.name == wanted) {
      if (options == nullptr) return Usage(fmt::format("backend {} is not of type postgres: it has no schema", wanted));
      return &backend;
    }
    if (options == nullptr || !wanted.empty()) continue;
    if (found != nullptr) return Usage("several backends are of type postgres; say which: --backend NAME");
    found = &backend;
  }
  if (!wanted.empty()) return Usage(fmt::format("there is no backend {} in the settings", wanted));
  return found;
}

struct Place {
  migrations::Target target;
  migrations::ValueStorage value_storage;
};

Result<Place> FindPlace(const ServiceSettings& settings, const cli::Arguments& arguments) {
  HOLDFAST_ASSIGN_OR_RETURN(const auto* const backend, FindBackend(settings, arguments.Get("--backend")));
  Place place;
  migrations::Target& target = place.target;
  if (backend != nullptr) {
    HOLDFAST_ASSIGN_OR_RETURN(target, TargetOf(std::get<storage::PostgresOptions>(backend->options), Way::kDirect));
    place.value_storage = backend->value_storage;
  }
  // Another url may be of another role, whose password is not the service's.
  if (arguments.Has("--url-file")) {
    HOLDFAST_ASSIGN_OR_RETURN(target.url, FirstLine(arguments.Get("--url-file")));
    target.password.clear();
  } else if (const char* url = std::getenv(kUrlVariable); url != nullptr && *url != '\0') {
    target.url = url;
    target.password.clear();
  }
  if (target.url.empty()) {
    return Usage(
        fmt::format("no server is named: configure a backend of type postgres, or set {} or --url-file", kUrlVariable));
  }
  target.schema = arguments.Get("--schema", target.schema);
  HOLDFAST_RETURN_IF_ERROR(migrations::ValidateSchemaName(target.schema));
  return place;
}

Result<std::optional<int>> ParseTo(const cli::Arguments& arguments) {
  if (!arguments.Has("--to")) return std::optional<int>();
  const std::string text = arguments.Get("--to");
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Usage(fmt::format("--to takes the number of a step, not \"{}\"", text));
  }
  return std::optional<int>(number);
}

void LogProgress(const Progress& progress) {
  if (progress.event == Progress::Event::kWaiting) {
    log::Info("waiting for another runner", {{"holder", progress.text}});
    return;
  }
  const Step& step = *progress.step;
  switch (progress.event) {
    case Progress::Event::kStep:
      log::Info("migration step", {{"file", step.script().file},
                                   {"direction", migrations::DirectionName(step.direction)},
                                   {"statements", step.script().statements.size()},
                                   {"resumed", step.resumes}});
      break;
    case Progress::Event::kStatement:
      log::Debug("statement", {{"file", step.script().file}, {"number", progress.statement}, {"sql", progress.text}});
      break;
    case Progress::Event::kLockTimeout:
      log::Warn("a lock was not to be had; the step is undone and tried again",
                {{"file", step.script().file}, {"reason", progress.text}});
      break;
    default:
      break;
  }
}

int ExitCode(const Error& error) {
  fmt::print(stderr, "holdfast: {}\n", error.message());
  switch (error.code()) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotFound:
      return kUsage;
    case ErrorCode::kFailedPrecondition:
      return kNotAsNeeded;
    case ErrorCode::kOutcomeUnknown:
      return kUnknown;
    default:
      return kFailed;
  }
}

// One invocation, with everything it was told.
class Invocation {
 public:
  Invocation(const cli::Arguments& arguments, Place place, const MigrationSet& known,
             migrations::MigratorOptions options)
      : arguments_(arguments),
        target_(std::move(place.target)),
        value_storage_(place.value_storage),
        known_(known),
        options_(std::move(options)) {}

  int Run(const std::string& verb, const std::optional<int>& to) {
    if (verb == "status" || verb == "verify") return Show(verb == "verify");
    auto state = Read();
    if (!state.ok()) return ExitCode(state.error());
    // A plan goes wherever --to lies.
    const bool down = verb == "down" || (verb == "plan" && to && *to < state->version);
    const Goal goal{down ? Direction::kDown : Direction::kUp, to,
                    verb == "plan" || arguments_.Has("--allow-data-loss")};
    if (verb == "plan" || arguments_.Has("--dry-run")) return Plan(*state, goal, verb != "plan");
    return Migrate(goal);
  }

 private:
  Result<SchemaState> Read() const {
    return migrations::ReadSchemaState(target_, known_, Deadline::After(options_.connect_timeout));
  }

  int Show(bool thoroughly) const {
    auto state = Read();
    if (!state.ok()) return ExitCode(state.error());
    if (thoroughly) {
      auto defects = migrations::FindDefects(target_, Deadline::After(options_.connect_timeout));
      if (!defects.ok()) return ExitCode(defects.error());
      state->problems.insert(state->problems.end(), defects->begin(), defects->end());
    }
    fmt::print("{}", arguments_.Has("--json") ? migrations::StateAsJson(known_, *state, target_.schema)
                                              : migrations::StateAsText(known_, *state, target_.schema));
    return state->current() ? kOk : kNotAsNeeded;
  }

  int Plan(const SchemaState& state, const Goal& goal, bool with_sql) const {
    const auto steps = migrations::MakePlan(known_, state, goal);
    if (!steps.ok()) return ExitCode(steps.error());
    fmt::print("{}",
               arguments_.Has("--json") ? migrations::PlanAsJson(*steps) : migrations::PlanAsText(*steps, with_sql));
    return kOk;
  }

  int Migrate(const Goal& goal) const {
    const auto migrated = migrations::Migrate(target_, known_, goal, options_);
    if (!migrated.ok()) return ExitCode(migrated.error());
    log::Info("schema migrated", {{"schema", target_.schema},
                                  {"from", migrated->from},
                                  {"to", migrated->to},
                                  {"steps", migrated->steps.size()}});
    return migrated->to == known_.latest() ? SayValueStorage() : kOk;
  }

  // Nothing that a service could not go without: when others hold the table it is left to the service.
  int SayValueStorage() const {
    migrations::ValueStorageOptions how;
    how.connect_timeout = options_.connect_timeout;
    how.lock_timeout = options_.lock_timeout;
    how.lock_attempts = options_.lock_attempts;
    how.lock_pause = options_.lock_pause;
    const auto said = migrations::ApplyValueStorage(target_, value_storage_, how);
    if (said.ok()) return kOk;
    if (said.error().code() != ErrorCode::kUnavailable) return ExitCode(said.error());
    log::Warn("values are not yet kept as the settings say", {{"reason", said.error().message()}});
    return kOk;
  }

  const cli::Arguments& arguments_;
  const migrations::Target target_;
  const migrations::ValueStorage value_storage_;
  const MigrationSet& known_;
  const migrations::MigratorOptions options_;
};

}  // namespace

int RunMigrateCommand(const std::vector<std::string>& words, const std::string& release, const SettingsLoader& load) {
  const cli::DividedWords divided = cli::Divide(kOptions, words);
  const auto arguments = cli::Parse(kCommand, {}, divided.own);
  if (!arguments.ok()) return UsageError(arguments.error());
  if (arguments->Has("--help")) {
    fmt::print("{}", cli::HelpOf(kCommand, {}));
    return kOk;
  }
  const std::string verb = arguments->positional.front();
  constexpr std::array<std::string_view, 5> kVerbs{"up", "down", "status", "verify", "plan"};
  if (std::find(kVerbs.begin(), kVerbs.end(), verb) == kVerbs.end()) {
    return UsageError(Usage(fmt::format("unknown verb {}; there are {}", verb, fmt::join(kVerbs, ", "))));
  }
  const auto to = ParseTo(*arguments);
  if (!to.ok()) return UsageError(to.error());
  const auto server_arguments = cli::ParseServerArguments(divided.settings);
  if (!server_arguments.ok()) return UsageError(server_arguments.error());
  const auto settings = load(*server_arguments);
  if (!settings) return kUsage;
  log::Configure(settings->log);
  auto place = FindPlace(*settings, *arguments);
  if (!place.ok()) return UsageError(place.error());

  std::optional<MigrationSet> from_folder;
  if (arguments->Has("--from")) {
    auto read = MigrationSet::FromFolder(arguments->Get("--from"));
    if (!read.ok()) return ExitCode(read.error());
    from_folder = std::move(read).value();
  }
  migrations::MigratorOptions options;
  options.lock_timeout = settings->migrations.lock_timeout;
  options.statement_timeout = settings->migrations.statement_timeout;
  options.lock_attempts = settings->migrations.lock_attempts;
  options.runner_wait = settings->migrations.runner_wait;
  options.release = release;
  options.on_progress = LogProgress;
  const MigrationSet& known = from_folder ? *from_folder : MigrationSet::BuiltIn();
  return Invocation(*arguments, std::move(place).value(), known, std::move(options)).Run(verb, *to);
}

}  // namespace holdfast::service
