#include "service/copy_command.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/direct_store.h"
#include "service/transfer/namespaces.h"
#include "service/transfer/page_walk.h"
#include "service/transfer/resume_file.h"
#include "service/transfer/store_comparison.h"
#include "service/transfer/store_copy.h"
#include "service/transfer_progress.h"

namespace holdfast::service {
namespace {

using transfer::Reached;

// Of those that are named.
constexpr std::uint64_t kMostNamed = 20;
// A cursor is a namespace and a key.
constexpr char kSeparator = '\0';

constexpr cli::Option kOptions[] = {
    {"--from", "STORE", "the store to copy from"},
    {"--to", "STORE", "the store to copy into"},
    {"--prefix", "PREFIX", "only keys that begin so"},
    kNamespaceOption,
    {"--to-namespace", "NAME", "copy into this one; default: the same"},
    {"--all-namespaces", "", "copy every namespace into that of its name"},
    {"--overwrite", "", "also replace entries of the target that are newer"},
    {"--verify", "", "then compare the two; exit code 1 and the first range, if they differ"},
    {"--resume", "FILE", "go on from where FILE says, which is kept up to date and removed at the end"},
    kHelpOption,
};

constexpr cli::Command kCommand = {
    "copy",
    "--from STORE --to STORE [--config FILE] [--SETTING=VALUE ...]",
    "Copies the keys of a store on PostgreSQL, Redis or RocksDB into another one.",
    "Both stores stand in the settings. Keys are copied with value, content type, metadata, tags and the instant they\n"
    "expire; ETags and times begin anew. Collections, locks, fencing tokens and quotas are not copied.\n\n"
    "What the target has is kept when it was written later than what the source has under the key, by the clocks of\n"
    "the two, so that what clients write into the target meanwhile is never undone; --overwrite has the source win. "
    "Keys\nthat only the target has stay there in any case.\n\n"
    "Services on PostgreSQL and Redis go on, and those of the target hear of every key; what they write meanwhile may\n"
    "be copied or not (migrate_to moves a store that is written). RocksDB belongs to one process: stop its service "
    "first.\nPermissions and quotas are not asked.\n\n"
    "Progress is told on standard error: on a terminal as a line each second, else as a line of the log each ten.\n\n"
    "Exit codes: 0 everything was copied, 1 not everything was, or the two differ (--verify), 2 wrong usage or\n"
    "settings, 3 a server cannot be reached or its schema is not as this binary needs it",
    0,
    0,
    kOptions,
};

Error Usage(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

// For people; keys are any bytes.
std::string Shown(const std::string& key) {
  std::string text;
  for (const char byte : key) {
    const auto code = static_cast<unsigned char>(byte);
    text += code < 0x20 || code >= 0x7f || byte == '"' || byte == '\\' ? fmt::format("\\x{:02x}", code)
                                                                       : std::string(1, byte);
  }
  return '"' + text + '"';
}

// What is copied where; from words that have been checked.
struct Plan {
  std::string from_namespace;  // empty: all
  std::string to_namespace;    // empty: that of the same name
  std::string prefix;
  transfer::Replace replace = transfer::Replace::kOlder;
  bool verify = false;
  std::string run;  // for the resume file
};

Plan PlanOf(const cli::Arguments& arguments) {
  Plan plan;
  if (!arguments.Has("--all-namespaces")) {
    plan.from_namespace = arguments.Get("--namespace", storage::kDefaultNamespace);
    plan.to_namespace = arguments.Get("--to-namespace", plan.from_namespace);
  }
  plan.prefix = arguments.Get("--prefix");
  plan.verify = arguments.Has("--verify");
  if (arguments.Has("--overwrite")) plan.replace = transfer::Replace::kAll;
  plan.run =
      fmt::format("copy {}/{} to {}/{}{}{}{}", arguments.Get("--from"),
                  plan.from_namespace.empty() ? "*" : plan.from_namespace, arguments.Get("--to"),
                  plan.to_namespace.empty() ? "*" : plan.to_namespace, plan.prefix.empty() ? "" : " --prefix ",
                  plan.prefix.empty() ? "" : Shown(plan.prefix), arguments.Has("--overwrite") ? " --overwrite" : "");
  return plan;
}

Result<std::vector<StoreWanted>> Wanted(const cli::Arguments& arguments, const ServiceSettings& /*settings*/) {
  for (const char* option : {"--from", "--to"}) {
    if (!arguments.Has(option)) return Usage(fmt::format("{} is missing: name a store of the settings", option));
  }
  for (const char* option : {"--namespace", "--to-namespace"}) {
    if (!arguments.Has(option)) continue;
    HOLDFAST_RETURN_IF_ERROR(CheckNamespace(option, arguments.Get(option)));
    if (arguments.Has("--all-namespaces")) return Usage(fmt::format("{} contradicts --all-namespaces", option));
  }
  const Plan plan = PlanOf(arguments);
  if (arguments.Get("--from") == arguments.Get("--to") && plan.from_namespace == plan.to_namespace) {
    return Usage("--from and --to are the same; name two stores, or another namespace with --to-namespace");
  }
  return std::vector<StoreWanted>{{arguments.Get("--from"), false}, {arguments.Get("--to"), true}};
}

// Not thread-safe.
class CopyRun {
 public:
  CopyRun(const DirectStore& source, const DirectStore& target, Plan plan, std::optional<transfer::ResumeFile> file)
      : source_(source), target_(target), plan_(std::move(plan)), file_(std::move(file)) {
    if (!file_) return;
    reached_ = file_->reached();
    counts_.failed = reached_.failed;
    progress_.Begin(reached_.items);
    if (file_->resumed()) progress_.Say(fmt::format("going on behind {} keys", reached_.items));
  }

  // The exit code.
  int Run() {
    auto names = Namespaces();
    if (!names.ok()) return NotAll(names.error());
    for (const std::string& name : *names) {
      if (const Status copied = Copy(name); !copied.ok()) return NotAll(copied.error());
    }
    Summarise();
    bool same = true;
    if (plan_.verify) {
      const auto verified = Verify(*names);
      if (!verified.ok()) return NotAll(verified.error());
      same = *verified;
    }
    if (file_) {
      if (const Status removed = file_->Remove(); !removed.ok()) progress_.Say(removed.error().ToString());
    }
    return same && counts_.failed == 0 ? kTransferred : kTransferredInPart;
  }

 private:
  int NotAll(const Error& error) {
    progress_.Say(fmt::format("holdfast copy: after {} keys: {}; run it again{}", reached_.items, error.ToString(),
                              file_ ? ", it goes on from there" : ""));
    return kTransferredInPart;
  }
  storage::KeyRange Range() const { return storage::KeyRange::Prefix(plan_.prefix); }
  std::shared_ptr<storage::Backend> Source(const std::string& name) const { return source_.View(name)->keys; }
  std::shared_ptr<storage::Backend> Target(const std::string& name) const {
    return target_.View(plan_.to_namespace.empty() ? name : plan_.to_namespace)->keys;
  }

  Result<std::vector<std::string>> Namespaces() const {
    if (!plan_.from_namespace.empty()) return std::vector<std::string>{plan_.from_namespace};
    return transfer::NamespacesOf(*source_.backend, source_.name);
  }

  // Where the copy of a namespace goes on; nullopt: it is done.
  std::optional<std::string> CursorOf(const std::string& name) const {
    const std::string done = reached_.cursor.substr(0, reached_.cursor.find(kSeparator));
    if (name < done) return std::nullopt;
    return name == done ? reached_.cursor.substr(done.size() + 1) : "";
  }

  Status Copy(const std::string& name) {
    const std::optional<std::string> cursor = CursorOf(name);
    if (!cursor) return {};
    const std::shared_ptr<storage::Backend> source = Source(name);
    const std::shared_ptr<storage::Backend> target = Target(name);
    transfer::PageWalk walk(*source, Range(), *cursor);
    const transfer::StoreCopy copy(*target, plan_.replace);
    while (!walk.complete()) {
      HOLDFAST_ASSIGN_OR_RETURN(const storage::ScanPage page, walk.Next());
      HOLDFAST_ASSIGN_OR_RETURN(const auto failures, copy.Copy(page, counts_));
      for (const transfer::CopyFailure& failure : failures) Tell(failure);
      if (page.entries.empty()) continue;
      reached_.items += page.entries.size();
      reached_.failed = counts_.failed;
      reached_.cursor = name + kSeparator + page.entries.back().key;
      if (file_) HOLDFAST_RETURN_IF_ERROR(file_->Save(reached_));
      progress_.Tell(reached_.items);
    }
    return {};
  }

  void Tell(const transfer::CopyFailure& failure) {
    if (++named_ <= kMostNamed) progress_.Say(fmt::format("{}: {}", Shown(failure.key), failure.error.ToString()));
  }

  void Summarise() {
    if (named_ > kMostNamed) progress_.Say(fmt::format("and {} more", named_ - kMostNamed));
    progress_.Say(fmt::format("{} keys copied, {} were the same, {} kept because the target's are newer, {} failed",
                              counts_.copied, counts_.same, counts_.newer, counts_.failed));
  }

  // Whether the two have the same.
  Result<bool> Verify(const std::vector<std::string>& names) {
    TransferProgress progress("compared");
    std::uint64_t before = 0;
    for (const std::string& name : names) {
      std::uint64_t keys = 0;
      HOLDFAST_ASSIGN_OR_RETURN(const auto difference,
                                transfer::CompareStores(*Source(name), *Target(name), Range(), [&](std::uint64_t n) {
                                  keys = n;
                                  progress.Tell(before + n);
                                }));
      if (difference) {
        progress.Say(fmt::format("holdfast copy: namespace {}: they differ between {} and {}: in {} keys, one is {}",
                                 name, difference->behind.empty() ? "the beginning" : Shown(difference->behind),
                                 difference->last.empty() ? "the end" : Shown(difference->last),
                                 difference->keys.size(),
                                 Shown(*std::min_element(difference->keys.begin(), difference->keys.end()))));
        return false;
      }
      before += keys;
    }
    progress.Say(fmt::format("{} keys compared, all the same", before));
    return true;
  }

  const DirectStore& source_;
  const DirectStore& target_;
  const Plan plan_;
  std::optional<transfer::ResumeFile> file_;
  TransferProgress progress_{"copied"};
  Reached reached_;
  transfer::CopyCounts counts_;  // of this run, but for failures
  std::uint64_t named_ = 0;
};

int Copy(const cli::Arguments& arguments, const std::vector<DirectStore>& stores) {
  Plan plan = PlanOf(arguments);
  std::optional<transfer::ResumeFile> file;
  if (arguments.Has("--resume")) {
    auto opened = transfer::ResumeFile::Open(arguments.Get("--resume"), plan.run);
    if (!opened.ok()) return cli::UsageError(kCommand.name, opened.error());
    file = std::move(opened).value();
  }
  return CopyRun(stores[0], stores[1], std::move(plan), std::move(file)).Run();
}

}  // namespace

int RunCopyCommand(const std::vector<std::string>& words, const SettingsLoader& load) {
  return OnDirectStores(kCommand, words, load, Wanted, Copy);
}

}  // namespace holdfast::service
