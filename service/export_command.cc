#include "service/export_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <system_error>
#include <thread>

#include "service/api/item_json.h"
#include "service/direct_store.h"
#include "service/json/json_writer.h"
#include "service/transfer_progress.h"

namespace holdfast::service {
namespace {

// Pages are sized so that one holds about so many bytes.
constexpr std::size_t kPageBytes = 4u << 20;
constexpr std::size_t kFirstEntries = 100;
constexpr std::size_t kMostEntries = 5'000;
// Of a page.
constexpr std::chrono::seconds kPatience{60};

constexpr cli::Option kOptions[] = {
    kStoreOption,
    kNamespaceOption,
    {"--prefix", "PREFIX", "only keys that begin so"},
    kHelpOption,
};

constexpr cli::Command kCommand = {
    "export",
    "[--config FILE] [--SETTING=VALUE ...] > items.ndjson",
    "Writes the items of a store on PostgreSQL or Redis, past the service.",
    "Standard output becomes what a list gives with values=true and Accept: application/x-ndjson, an item on each\n"
    "line, as `holdfast import` takes it. Services on the same backend go on; what they write meanwhile may be in it\n"
    "or not. Permissions are not asked.\n\n"
    "Exit codes: 0 every item was written, 1 not all were: discard what was, 2 wrong usage or settings,\n"
    "3 the server cannot be reached or its schema is not as this binary needs it",
    0,
    0,
    kOptions,
};

Result<storage::ScanPage> ReadPage(storage::Backend& keys, const storage::ScanRequest& request) {
  Backoff pauses(kTransferPauses);
  for (int attempt = 1;; ++attempt) {
    Result<storage::ScanPage> page = keys.Scan(request, Deadline::After(kPatience));
    if (page.ok() || attempt == kTransferAttempts || !MayPass(page.error())) return page;
    std::this_thread::sleep_for(pauses.Next());
  }
}

Status WritePage(const storage::ScanPage& page, std::size_t* bytes) {
  std::string lines;
  for (const storage::KeyedEntry& item : page.entries) {
    json::JsonWriter line;
    api::WriteItem(item.key, *item.entry, item.value_bytes, true, &line);
    lines.append(line.Take()).push_back('\n');
  }
  *bytes = lines.size();
  if (std::fwrite(lines.data(), 1, lines.size(), stdout) != lines.size() || std::fflush(stdout) != 0) {
    return Error(ErrorCode::kUnavailable, fmt::format("standard output: {}", std::generic_category().message(errno)));
  }
  return {};
}

int Export(const cli::Arguments& arguments, const DirectStore& store) {
  storage::ScanRequest request;
  if (arguments.Has("--prefix")) request.range = storage::KeyRange::Prefix(arguments.Get("--prefix"));
  request.limit = kFirstEntries;
  std::size_t exported = 0;
  TransferProgress progress("exported");
  const auto not_all = [&](const Error& error) {
    progress.Say(fmt::format("holdfast: after {} items: {}; what was written is not all, run it again", exported,
                             error.ToString()));
    return kTransferredInPart;
  };
  for (bool complete = false; !complete;) {
    const Result<storage::ScanPage> page = ReadPage(*store.view->keys, request);
    if (!page.ok()) return not_all(page.error());
    std::size_t bytes = 0;
    if (const Status written = WritePage(*page, &bytes); !written.ok()) return not_all(written.error());
    exported += page->entries.size();
    if (!page->entries.empty()) {
      request.after = page->entries.back().key;
      const std::size_t each = std::max<std::size_t>(1, bytes / page->entries.size());
      request.limit = std::clamp(kPageBytes / each, std::size_t{1}, std::min(request.limit * 2, kMostEntries));
    }
    complete = page->complete;
    progress.Tell(exported);
  }
  progress.Say(fmt::format("{} items exported", exported));
  return kTransferred;
}

}  // namespace

int RunExportCommand(const std::vector<std::string>& words, const SettingsLoader& load) {
  // A reader that goes away is an error of the write.
  std::signal(SIGPIPE, SIG_IGN);
  return OnDirectStore(kCommand, words, load, Export);
}

}  // namespace holdfast::service
