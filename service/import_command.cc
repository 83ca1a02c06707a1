#include "service/import_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iostream>
#include <thread>

#include "base/log/log.h"
#include "base/time/backoff.h"
#include "service/assembly.h"
#include "service/import_lines.h"
#include "service/schema_check.h"
#include "service/storage/tenant_view.h"

namespace holdfast::service {
namespace {

constexpr int kOk = 0;
constexpr int kIncomplete = 1;
constexpr int kUsage = 2;
constexpr int kUnreachable = 3;

// Of one turn of one connection.
constexpr std::size_t kItems = 1'000;
constexpr std::size_t kBytes = 8u << 20;
// Of a call whose items are not all put; puts without a precondition may be sent again whatever became of them.
constexpr int kAttempts = 5;
constexpr std::chrono::seconds kPatience{60};
// Of those that are named.
constexpr std::size_t kMostNamed = 20;

constexpr cli::Option kOptions[] = {
    {"--store", "NAME", "the store; default: that of the settings"},
    {"--namespace", "NAME", "default: default"},
    {"--help", "", "this text"},
};

constexpr cli::Command kCommand = {
    "import",
    "[--config FILE] [--SETTING=VALUE ...] < items.ndjson",
    "Puts items into a store on PostgreSQL, past the service.",
    "Standard input is what a list gives with values=true and Accept: application/x-ndjson, an item on each line.\n"
    "Services on the same backend go on and hear of every item. Quotas and permissions are not asked.\n"
    "An interrupted run may be repeated.\n\n"
    "Exit codes: 0 every item was put, 1 some were not, 2 wrong usage or settings,\n"
    "3 the server cannot be reached or its schema is not as this binary needs it",
    0,
    0,
    kOptions,
};

int UsageError(const Error& error) {
  return cli::UsageError("import", error);
}

Error Usage(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

struct Line {
  std::size_t number = 0;
  storage::Operation put;
};

bool MayRetry(const Status& status) {
  if (status.ok()) return false;
  const ErrorCode code = status.error().code();
  return code == ErrorCode::kUnavailable || code == ErrorCode::kDeadlineExceeded || code == ErrorCode::kOutcomeUnknown;
}

// Not thread-safe, but for Put.
class Import {
 public:
  Import(storage::Backend& keys, std::size_t connections) : keys_(keys), turns_(connections) {}

  // Reads to the end, in rounds: lines of one key are put by one connection, in their order.
  void Run(std::istream& input) {
    std::string line;
    while (std::getline(input, line)) {
      ++number_;
      if (line.empty()) continue;
      Result<storage::Operation> put = ParseImportLine(line);
      if (!put.ok()) {
        Fail(number_, put.error());
        continue;
      }
      bytes_ += line.size();
      std::vector<Line>& turn = turns_[std::hash<std::string>{}(put->key) % turns_.size()];
      turn.push_back({number_, std::move(*put)});
      if (turn.size() == kItems || bytes_ >= kBytes * turns_.size()) Flush();
    }
    Flush();
  }

  std::size_t imported() const { return imported_; }
  std::size_t failed() const { return failed_; }

 private:
  void Fail(std::size_t number, const Error& error) {
    if (++failed_ <= kMostNamed) fmt::print(stderr, "line {}: {}\n", number, error.ToString());
  }

  void Flush() {
    std::vector<std::vector<Status>> statuses(turns_.size());
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < turns_.size(); ++i) {
      if (!turns_[i].empty()) threads.emplace_back([&, i] { statuses[i] = Put(turns_[i]); });
    }
    for (std::thread& thread : threads) thread.join();
    for (std::size_t i = 0; i < turns_.size(); ++i) {
      for (std::size_t n = 0; n < turns_[i].size(); ++n) {
        if (statuses[i][n].ok()) {
          ++imported_;
        } else {
          Fail(turns_[i][n].number, statuses[i][n].error());
        }
      }
      turns_[i].clear();
    }
    bytes_ = 0;
  }

  std::vector<Status> Put(std::vector<Line>& lines) const {
    std::vector<Status> statuses(lines.size());
    std::vector<std::size_t> left(lines.size());
    for (std::size_t i = 0; i < left.size(); ++i) left[i] = i;
    for (int attempt = 1; !left.empty(); ++attempt) {
      std::vector<storage::Operation> puts;
      puts.reserve(left.size());
      for (const std::size_t i : left) puts.push_back(lines[i].put);
      std::vector<storage::OperationResult> results(puts.size());
      keys_.Execute(puts, results, Deadline::After(kPatience));
      for (std::size_t i = 0; i < left.size(); ++i) statuses[left[i]] = results[i].status;
      if (attempt == kAttempts) break;
      // From the first that may be sent again on: an earlier line of a key must not come after a later one.
      const auto again = std::find_if(left.begin(), left.end(), [&](std::size_t i) { return MayRetry(statuses[i]); });
      left.erase(left.begin(), again);
      if (!left.empty()) std::this_thread::sleep_for(std::chrono::milliseconds{200} * (1 << attempt));
    }
    return statuses;
  }

  storage::Backend& keys_;
  std::vector<std::vector<Line>> turns_;  // one for each connection
  std::size_t number_ = 0;
  std::size_t bytes_ = 0;
  std::size_t imported_ = 0;
  std::size_t failed_ = 0;
};

// The settings with the backend of the store alone; others may be held by the service.
Result<ServiceSettings> Only(const ServiceSettings& settings, const StoreSettings& store) {
  ServiceSettings only = settings;
  std::erase_if(only.backends, [&](const BackendSettings& backend) { return backend.name != store.backend; });
  if (only.backends.size() != 1 || !std::holds_alternative<storage::PostgresOptions>(only.backends[0].options)) {
    return Usage(
        fmt::format("store {} is not on PostgreSQL: only the service may write there; send it batches", store.name));
  }
  return only;
}

int Unreachable(const Error& error) {
  fmt::print(stderr, "holdfast: {}\n", error.ToString());
  return kUnreachable;
}

int ImportInto(const ServiceSettings& only, const StoreSettings& store, const std::string& name_space) {
  if (Status schema = CheckSchemas(only, [] { return false; }); !schema.ok()) return Unreachable(schema.error());
  auto backends = OpenBackends(only.backends);
  if (!backends.ok()) return Unreachable(backends.error());
  const std::shared_ptr<storage::Backend> backend = backends->front().backend;
  if (Status healthy = backend->CheckHealth(Deadline::After(only.start_timeout)); !healthy.ok()) {
    return Unreachable(healthy.error());
  }
  const auto view = storage::TenantViews(backend, store.name, store.limits).Find(name_space);
  Import import(*view->keys, static_cast<std::size_t>(backend->capabilities().concurrent_calls));
  import.Run(std::cin);
  if (import.failed() > kMostNamed) fmt::print(stderr, "and {} more\n", import.failed() - kMostNamed);
  fmt::print(stderr, "{} items imported, {} not\n", import.imported(), import.failed());
  if (Status closed = CloseBackends(*backends); !closed.ok()) return Unreachable(closed.error());
  return import.failed() == 0 ? kOk : kIncomplete;
}

}  // namespace

int RunImportCommand(const std::vector<std::string>& words, const SettingsLoader& load) {
  const cli::DividedWords divided = cli::Divide(kOptions, words);
  const auto arguments = cli::Parse(kCommand, {}, divided.own);
  if (!arguments.ok()) return UsageError(arguments.error());
  if (arguments->Has("--help")) {
    fmt::print("{}", cli::HelpOf(kCommand, {}));
    return kOk;
  }
  const auto server_arguments = cli::ParseServerArguments(divided.settings);
  if (!server_arguments.ok()) return UsageError(server_arguments.error());
  const auto settings = load(*server_arguments);
  if (!settings) return kUsage;
  log::Configure(settings->log);
  const std::string name = arguments->Get("--store", settings->default_store);
  const std::string name_space = arguments->Get("--namespace", storage::kDefaultNamespace);
  if (!storage::IsValidNamespace(name_space)) {
    return UsageError(Usage(fmt::format("--namespace: \"{}\" is no name of one", name_space)));
  }
  const auto store = std::find_if(settings->stores.begin(), settings->stores.end(),
                                  [&](const StoreSettings& each) { return each.name == name; });
  if (store == settings->stores.end())
    return UsageError(Usage(fmt::format("there is no store {} in the settings", name)));
  const auto only = Only(*settings, *store);
  if (!only.ok()) return UsageError(only.error());
  return ImportInto(*only, *store, name_space);
}

}  // namespace holdfast::service
