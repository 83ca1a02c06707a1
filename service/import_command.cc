#include "service/import_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iostream>
#include <thread>

#include "service/direct_store.h"
#include "service/import_lines.h"
#include "service/transfer_progress.h"

namespace holdfast::service {
namespace {

// Of one turn of one connection.
constexpr std::size_t kItems = 1'000;
constexpr std::size_t kBytes = 8u << 20;
// Of a call. Puts without a precondition may be sent again whatever became of them.
constexpr std::chrono::seconds kPatience{60};
// Of those that are named.
constexpr std::size_t kMostNamed = 20;

constexpr cli::Option kOptions[] = {
    kStoreOption,
    kNamespaceOption,
    kHelpOption,
};

constexpr cli::Command kCommand = {
    "import",
    "[--config FILE] [--SETTING=VALUE ...] < items.ndjson",
    "Puts items into a store on PostgreSQL or Redis, past the service.",
    "Standard input is what a list gives with values=true and Accept: application/x-ndjson, an item on each line.\n"
    "Services on the same backend go on and hear of every item. Quotas and permissions are not asked.\n"
    "An interrupted run may be repeated.\n\n"
    "Exit codes: 0 every item was put, 1 some were not, 2 wrong usage or settings,\n"
    "3 the server cannot be reached or its schema is not as this binary needs it",
    0,
    0,
    kOptions,
};

struct Line {
  std::size_t number = 0;
  storage::Operation put;
};

bool MayRetry(const Status& status) {
  return !status.ok() && MayPass(status.error());
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
      if (turn.size() < kItems && bytes_ < kBytes * turns_.size()) continue;
      Flush();
      progress_.Tell(imported_);
    }
    Flush();
  }

  void Summarise() {
    if (failed_ > kMostNamed) progress_.Say(fmt::format("and {} more", failed_ - kMostNamed));
    progress_.Say(fmt::format("{} items imported, {} not", imported_, failed_));
  }
  std::size_t failed() const { return failed_; }

 private:
  void Fail(std::size_t number, const Error& error) {
    if (++failed_ <= kMostNamed) progress_.Say(fmt::format("line {}: {}", number, error.ToString()));
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
    Backoff pauses(kTransferPauses);
    for (int attempt = 1; !left.empty(); ++attempt) {
      std::vector<storage::Operation> puts;
      puts.reserve(left.size());
      for (const std::size_t i : left) puts.push_back(lines[i].put);
      std::vector<storage::OperationResult> results(puts.size());
      keys_.Execute(puts, results, Deadline::After(kPatience));
      for (std::size_t i = 0; i < left.size(); ++i) statuses[left[i]] = results[i].status;
      if (attempt == kTransferAttempts) break;
      // From the first that may be sent again on: an earlier line of a key must not come after a later one.
      const auto again = std::find_if(left.begin(), left.end(), [&](std::size_t i) { return MayRetry(statuses[i]); });
      left.erase(left.begin(), again);
      if (!left.empty()) std::this_thread::sleep_for(pauses.Next());
    }
    return statuses;
  }

  storage::Backend& keys_;
  TransferProgress progress_{"imported"};
  std::vector<std::vector<Line>> turns_;  // one for each connection
  std::size_t number_ = 0;
  std::size_t bytes_ = 0;
  std::size_t imported_ = 0;
  std::size_t failed_ = 0;
};

int ImportInto(const DirectStore& store) {
  Import import(*store.view->keys, static_cast<std::size_t>(store.backend->capabilities().concurrent_calls));
  import.Run(std::cin);
  import.Summarise();
  return import.failed() == 0 ? kTransferred : kTransferredInPart;
}

}  // namespace

int RunImportCommand(const std::vector<std::string>& words, const SettingsLoader& load) {
  return OnDirectStore(kCommand, words, load,
                       [](const cli::Arguments&, const DirectStore& store) { return ImportInto(store); });
}

}  // namespace holdfast::service
