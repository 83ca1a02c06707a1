#include "service/import_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iostream>
#include <optional>
#include <thread>

#include "service/direct_store.h"
#include "service/import_items.h"
#include "service/item_stream.h"
#include "service/transfer/patience.h"
#include "service/transfer/resume_file.h"
#include "service/transfer_progress.h"

namespace holdfast::service {
namespace {

// Of one turn of one connection.
constexpr std::size_t kItems = 1'000;
constexpr std::size_t kBytes = 8u << 20;
// Of those that are named.
constexpr std::size_t kMostNamed = 20;

constexpr cli::Option kOptions[] = {
    kStoreOption,  kNamespaceOption,
    kFormatOption, {"--resume", "FILE", "go on from where FILE says, which is kept up to date and removed at the end"},
    kHelpOption,
};

constexpr cli::Command kCommand = {
    "import",
    "[--config FILE] [--SETTING=VALUE ...] < items.ndjson",
    "Puts items into a store on PostgreSQL, Redis or RocksDB, past the service.",
    "Standard input is what a list gives with values=true and Accept: application/x-ndjson, an item on each line, or\n"
    "as CBOR a sequence of the same items (RFC 8742), as `holdfast export` writes both. Services on PostgreSQL and\n"
    "Redis go on and hear of every item. RocksDB belongs to one process: stop its service first. Quotas and\n"
    "permissions are not asked.\n\n"
    "An interrupted run may be repeated with the same input; with --resume it passes over what was put.\n\n"
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
  return !status.ok() && transfer::MayPass(status.error());
}

// FNV-1a of 64 bits over the items of an input: whether a run that goes on reads what the one before read.
class Digest {
 public:
  void Add(const std::string& item) {
    constexpr std::uint64_t kPrime = 0x100000001b3;
    for (const char byte : item) hash_ = (hash_ ^ static_cast<unsigned char>(byte)) * kPrime;
    hash_ = (hash_ ^ item.size()) * kPrime;
    ++items_;
  }
  std::uint64_t items() const { return items_; }
  std::string ToString() const { return fmt::format("{} {:x}", items_, hash_); }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325;
  std::uint64_t items_ = 0;
};

// Not thread-safe, but for Put.
class Import {
 public:
  Import(storage::Backend& keys, std::size_t connections, json::Format format, std::optional<transfer::ResumeFile> file)
      : keys_(keys), format_(format), file_(std::move(file)), turns_(connections) {}

  // Reads to the end, in rounds: items of one key are put by one connection, in their order. An error: the rest was
  // not.
  Status Run(std::istream& input) {
    ItemStream stream(input, format_);
    HOLDFAST_RETURN_IF_ERROR(PassOver(stream));
    while (true) {
      HOLDFAST_ASSIGN_OR_RETURN(const std::optional<std::string> item, stream.Next());
      if (!item) break;
      digest_.Add(*item);
      Result<storage::Operation> put = ParseImportItem(format_, *item);
      if (!put.ok()) {
        Fail(stream.number(), put.error());
        continue;
      }
      bytes_ += item->size();
      std::vector<Line>& turn = turns_[std::hash<std::string>{}(put->key) % turns_.size()];
      turn.push_back({stream.number(), std::move(*put)});
      if (turn.size() < kItems && bytes_ < kBytes * turns_.size()) continue;
      HOLDFAST_RETURN_IF_ERROR(Flush());
      progress_.Tell(imported_);
    }
    HOLDFAST_RETURN_IF_ERROR(Flush());
    return file_ ? file_->Remove() : Status();
  }

  void Summarise() {
    if (failed_ > kMostNamed) progress_.Say(fmt::format("and {} more", failed_ - kMostNamed));
    progress_.Say(fmt::format("{} items imported, {} not", imported_, failed_));
  }
  std::size_t failed() const { return failed_; }

 private:
  // What was put before, as the file says.
  Status PassOver(ItemStream& stream) {
    if (!file_ || !file_->resumed()) return {};
    const transfer::Reached& reached = file_->reached();
    while (digest_.items() < reached.items) {
      HOLDFAST_ASSIGN_OR_RETURN(const std::optional<std::string> item, stream.Next());
      if (!item) break;
      digest_.Add(*item);
    }
    if (digest_.ToString() != reached.cursor) {
      return Error(ErrorCode::kInvalidArgument,
                   "the input does not begin with what the run before has read: give the same, or name another file "
                   "with --resume");
    }
    failed_ = reached.failed;
    imported_ = reached.items - reached.failed;
    progress_.Begin(imported_);
    progress_.Say(fmt::format("going on behind {} items", reached.items));
    return {};
  }

  void Fail(std::size_t number, const Error& error) {
    if (++failed_ <= kMostNamed) progress_.Say(fmt::format("{}: {}", PlaceOf(format_, number), error.ToString()));
  }

  // With a file an error that may pass ends the run: the next one begins with these items.
  Status Flush() {
    std::vector<std::vector<Status>> statuses(turns_.size());
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < turns_.size(); ++i) {
      if (!turns_[i].empty()) threads.emplace_back([&, i] { statuses[i] = Put(turns_[i]); });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::vector<Status>& turn : statuses) {
      const auto gone = std::find_if(turn.begin(), turn.end(), MayRetry);
      if (file_ && gone != turn.end()) return *gone;
    }
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
    return file_ ? file_->Save({digest_.ToString(), digest_.items(), failed_}) : Status();
  }

  std::vector<Status> Put(std::vector<Line>& lines) const {
    std::vector<Status> statuses(lines.size());
    std::vector<std::size_t> left(lines.size());
    for (std::size_t i = 0; i < left.size(); ++i) left[i] = i;
    Backoff pauses(transfer::kPauses);
    for (int attempt = 1; !left.empty(); ++attempt) {
      std::vector<storage::Operation> puts;
      puts.reserve(left.size());
      for (const std::size_t i : left) puts.push_back(lines[i].put);
      std::vector<storage::OperationResult> results(puts.size());
      keys_.Execute(puts, results, Deadline::After(transfer::kPatience));
      for (std::size_t i = 0; i < left.size(); ++i) statuses[left[i]] = results[i].status;
      if (attempt == transfer::kAttempts) break;
      // From the first that may be sent again on: an earlier line of a key must not come after a later one.
      const auto again = std::find_if(left.begin(), left.end(), [&](std::size_t i) { return MayRetry(statuses[i]); });
      left.erase(left.begin(), again);
      if (!left.empty()) std::this_thread::sleep_for(pauses.Next());
    }
    return statuses;
  }

  storage::Backend& keys_;
  const json::Format format_;
  std::optional<transfer::ResumeFile> file_;
  Digest digest_;
  TransferProgress progress_{"imported"};
  std::vector<std::vector<Line>> turns_;  // one for each connection
  std::size_t bytes_ = 0;
  std::size_t imported_ = 0;
  std::size_t failed_ = 0;
};

int ImportInto(const cli::Arguments& arguments, const DirectStore& store) {
  const auto format = ReadItemFormat(arguments.Get("--format", "json"));
  if (!format.ok()) return cli::UsageError(kCommand.name, format.error());
  const std::string name_space = arguments.Get("--namespace", storage::kDefaultNamespace);
  std::optional<transfer::ResumeFile> file;
  if (arguments.Has("--resume")) {
    auto opened =
        transfer::ResumeFile::Open(arguments.Get("--resume"), fmt::format("import into {}/{}", store.name, name_space));
    if (!opened.ok()) return cli::UsageError(kCommand.name, opened.error());
    file = std::move(opened).value();
  }
  const auto view = store.View(name_space);
  Import import(*view->keys, static_cast<std::size_t>(store.backend->capabilities().concurrent_calls), *format,
                std::move(file));
  const Status run = import.Run(std::cin);
  import.Summarise();
  if (!run.ok())
    fmt::print(stderr, "holdfast import: {}; not everything was read, run it again\n", run.error().ToString());
  return run.ok() && import.failed() == 0 ? kTransferred : kTransferredInPart;
}

}  // namespace

int RunImportCommand(const std::vector<std::string>& words, const SettingsLoader& load) {
  return OnDirectStore(kCommand, words, load, /*create=*/true, ImportInto);
}

}  // namespace holdfast::service
