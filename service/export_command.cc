#include "service/export_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "service/api/item_json.h"
#include "service/direct_store.h"
#include "service/import_items.h"
#include "service/item_stream.h"
#include "service/transfer/page_walk.h"
#include "service/transfer_progress.h"

namespace holdfast::service {
namespace {

constexpr cli::Option kOptions[] = {
    kStoreOption,
    kNamespaceOption,
    {"--prefix", "PREFIX", "only keys that begin so"},
    kFormatOption,
    {"--resume", "FILE", "write to FILE, behind the last whole item that is in it"},
    kHelpOption,
};

constexpr cli::Command kCommand = {
    "export",
    "[--config FILE] [--SETTING=VALUE ...] > items.ndjson",
    "Writes the items of a store on PostgreSQL, Redis or RocksDB, past the service.",
    "Standard output becomes what a list gives with values=true and Accept: application/x-ndjson, an item on each\n"
    "line, or as CBOR a sequence of the same items (RFC 8742); `holdfast import` takes both. JSON keeps metadata byte\n"
    "for byte, CBOR its values. Services on PostgreSQL and Redis go on; what they write meanwhile may be in it or "
    "not.\n"
    "RocksDB belongs to one process: stop its service first. Permissions are not asked.\n\n"
    "An interrupted run with --resume goes on where FILE ends; what was cut off there is removed first.\n\n"
    "Exit codes: 0 every item was written, 1 not all were, 2 wrong usage or settings,\n"
    "3 the server cannot be reached or its schema is not as this binary needs it",
    0,
    0,
    kOptions,
};

// Not thread-safe.
class ItemOutput {
 public:
  // `path` empty: standard output.
  ItemOutput(std::string path, json::Format format) : path_(std::move(path)), format_(format) {}
  ~ItemOutput() {
    if (file_ != nullptr && file_ != stdout) static_cast<void>(std::fclose(file_));
  }
  ItemOutput(const ItemOutput&) = delete;
  ItemOutput& operator=(const ItemOutput&) = delete;

  // The key of the last item that is there already; empty: none. What is behind that item is removed.
  Result<std::string> Open() {
    file_ = stdout;
    if (path_.empty()) return std::string();
    HOLDFAST_ASSIGN_OR_RETURN(std::string last, ReadLast().WithContext(path_));
    file_ = std::fopen(path_.c_str(), "ab");
    if (file_ == nullptr || ::truncate(path_.c_str(), static_cast<off_t>(whole_)) != 0) return Failed();
    return last;
  }

  Status Write(const storage::ScanPage& page) {
    std::string items;
    for (const storage::KeyedEntry& item : page.entries) {
      const auto writer = json::MakeWriter(format_);
      api::WriteItem(item.key, *item.entry, item.value_bytes, true, writer.get());
      items.append(writer->Take());
      if (format_ == json::Format::kJson) items.push_back('\n');
    }
    if (std::fwrite(items.data(), 1, items.size(), file_) != items.size() || std::fflush(file_) != 0) return Failed();
    return {};
  }
  // Not before: a pipe has nothing to sync.
  Status Sync() {
    if (!path_.empty() && ::fsync(::fileno(file_)) != 0) return Failed();
    return {};
  }
  std::uint64_t found() const { return found_; }

 private:
  Error Failed() const {
    return {ErrorCode::kUnavailable,
            fmt::format("{}: {}", path_.empty() ? "standard output" : path_, std::generic_category().message(errno))};
  }
  Result<std::string> ReadLast() {
    std::ifstream input(path_, std::ios::binary);
    std::string last;
    if (!input) return last;
    ItemStream stream(input, format_);
    for (std::uint64_t whole = 0;; whole_ = whole, ++found_) {
      auto item = stream.Next();
      if (!item.ok() || !*item || stream.whole() == whole) break;
      whole = stream.whole();
      last = std::move(**item);
    }
    // Perhaps it is something else that is not to be lost.
    if (last.empty() && std::filesystem::file_size(path_) > 0) {
      return Error(ErrorCode::kInvalidArgument, "has no whole item to go on behind: name another file or remove it");
    }
    if (last.empty()) return last;
    HOLDFAST_ASSIGN_OR_RETURN(storage::Operation put, ParseImportItem(format_, last));
    return std::move(put.key);
  }

  const std::string path_;
  const json::Format format_;
  std::FILE* file_ = nullptr;
  std::uint64_t whole_ = 0;
  std::uint64_t found_ = 0;
};

int Export(const cli::Arguments& arguments, const DirectStore& store) {
  const auto format = ReadItemFormat(arguments.Get("--format", "json"));
  if (!format.ok()) return cli::UsageError(kCommand.name, format.error());
  ItemOutput output(arguments.Get("--resume"), *format);
  const auto last = output.Open();
  if (!last.ok()) return cli::UsageError(kCommand.name, last.error());

  const auto view = store.View(arguments.Get("--namespace", storage::kDefaultNamespace));
  transfer::PageWalk walk(*view->keys, storage::KeyRange::Prefix(arguments.Get("--prefix")), *last);
  std::uint64_t exported = output.found();
  TransferProgress progress("exported");
  progress.Begin(exported);
  if (exported > 0) progress.Say(fmt::format("going on behind {} items", exported));
  const auto not_all = [&](const Error& error) {
    progress.Say(fmt::format("holdfast: after {} items: {}; what was written is not all, run it again", exported,
                             error.ToString()));
    return kTransferredInPart;
  };
  while (!walk.complete()) {
    const Result<storage::ScanPage> page = walk.Next();
    if (!page.ok()) return not_all(page.error());
    if (const Status written = output.Write(*page); !written.ok()) return not_all(written.error());
    exported += page->entries.size();
    progress.Tell(exported);
  }
  if (const Status synced = output.Sync(); !synced.ok()) return not_all(synced.error());
  progress.Say(fmt::format("{} items exported", exported));
  return kTransferred;
}

}  // namespace

int RunExportCommand(const std::vector<std::string>& words, const SettingsLoader& load) {
  // A reader that goes away is an error of the write.
  std::signal(SIGPIPE, SIG_IGN);
  return OnDirectStore(kCommand, words, load, /*create=*/false, Export);
}

}  // namespace holdfast::service
