#include "service/cli/backup_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "service/cli/action_words.h"
#include "service/cli/outcome.h"
#include "service/cli/progress_line.h"
#include "service/cli/token_file.h"

namespace holdfast::cli {
namespace {

using http::ClientResponse;
using nlohmann::json;

constexpr std::chrono::milliseconds kLook{250};
// With a service that does not answer while a run is waited for: it goes on with it.
constexpr std::chrono::seconds kPatience{60};
constexpr int kAccepted = 202;
constexpr int kNotFound = 404;

constexpr Option kOptions[] = {
    {"--drill", "", "of verify: restore it into a scratch store as well, compare, and record how long that took"},
    {"--incremental", "",
     "of create: only what has changed since the newest verified backup, which it needs from then on; where there is "
     "none, or its chain is as long as it may be, it is a full one, and `note` says why"},
    {"--to-time", "TIME",
     "of restore: make the store what it was then (RFC 3339, as 2026-11-23T10:15:30.250Z), by the newest backup of "
     "before, or the one named, and the changes since; for stores with change_archive. `list` shows which times there "
     "are"},
    {"--source", "STORE",
     "of list, show, verify and restore: the backups of STORE in another deployment, which lie where backups.source of "
     "the service says, and are only read; its name there need not be the one of the store here"},
    {"--no-wait", "", "print the run and leave it to itself; `run` shows it later"},
    kUrlOption,
    kStoreNameOption,
    kTokenFileOption,
    {"--timeout", "DURATION", "how long to wait for one answer; default: 30s"},
    {"--help", "", "this text"},
};

constexpr std::array kActions = {
    ActionWord{"create", IdWord::kMay, "POST", "/backups"},
    ActionWord{"list", IdWord::kNone, "GET", "/backups"},
    ActionWord{"show", IdWord::kMust, "GET", "/backups"},
    ActionWord{"verify", IdWord::kMust, "POST", "/backups", "?action=verify"},
    ActionWord{kRestoreWord, IdWord::kMay, "POST", "/backups", "?action=restore"},
    ActionWord{"delete", IdWord::kMust, "DELETE", "/backups"},
    ActionWord{"prune", IdWord::kNone, "POST", "/backups", "?action=prune"},
    ActionWord{"run", IdWord::kMust, "GET", "/backup-runs"},
};

std::string ForPeople(const json& run) {
  const auto bytes = run.value("bytes", std::uint64_t{0});
  const auto total = run.value("total_bytes", std::uint64_t{0});
  constexpr double kMi = 1024.0 * 1024.0;
  constexpr std::uint64_t kWhole = 100;
  std::string line = fmt::format("{}: {} {:.1f} MiB", run.value("backup", run.value("action", "")),
                                 run.value("step", run.value("state", "")), static_cast<double>(bytes) / kMi);
  if (total > 0) line += fmt::format(" of {:.1f} ({} %)", static_cast<double>(total) / kMi, bytes * kWhole / total);
  return line;
}

bool Ended(const json& run) {
  const std::string state = run.value("state", "");
  return state == "succeeded" || state == "failed";
}

// How the run has ended, for a script.
int CodeOf(const json& run) {
  if (run.value("state", "") == "succeeded") return kOk;
  const json problem = run.value("problem", json::object());
  const std::string code = problem.value("code", "");
  Complain(kBackupCommand.name,
           fmt::format("{} failed: {}: {}", run.value("action", ""), code, problem.value("detail", "")));
  if (code == "outcome_unknown") return kUnknown;
  constexpr std::array<std::string_view, 4> kFinal = {"corruption", "not_found", "already_exists",
                                                      "failed_precondition"};
  return std::find(kFinal.begin(), kFinal.end(), code) != kFinal.end() ? kNo : kNotAvailable;
}

int Forgotten(const std::string& run) {
  Complain(kBackupCommand.name,
           fmt::format("the service knows nothing of run {} any more: it was started anew meanwhile. `holdfast backup "
                       "list` says what there is",
                       run));
  return kUnknown;
}

int Await(const ServiceClient& service, json run) {
  ProgressLine progress;
  const std::string id = run.value("run", "");
  Deadline patience = Deadline::After(kPatience);
  while (!Ended(run)) {
    std::this_thread::sleep_for(kLook);
    const auto answer = Ask(service, "GET", "/backup-runs/" + http::PercentEncode(id));
    const bool may_pass = !answer.ok() || answer->status >= 500;
    if (may_pass && !patience.Expired()) continue;
    if (!answer.ok()) return NotAnswered(kBackupCommand.name, answer.error());
    if (answer->status == kNotFound) return Forgotten(id);
    if (answer->status != 200) return Refused(kBackupCommand.name, *answer);
    patience = Deadline::After(kPatience);
    run = json::parse(answer->body, nullptr, false);
    if (!run.is_object()) return Complain(kBackupCommand.name, "the answer is no run; is this a Holdfast service?");
    progress.Tell(ForPeople(run), run.dump());
  }
  fmt::print("{}\n", run.dump());
  return CodeOf(run);
}

constexpr ActionWord kDrill{"verify", IdWord::kMust, "POST", "/backups", "?action=drill"};

constexpr ActionWord kIncrement{"create", IdWord::kMay, "POST", "/backups", "?kind=incremental"};

constexpr std::array<std::string_view, 4> kOfSource = {"list", "show", "verify", kRestoreWord};

// With the source, where one was named.
std::string WithSource(std::string path, const ReadAction& asked) {
  const std::string source = asked.arguments.Get("--source");
  if (source.empty()) return path;
  path += path.find('?') == std::string::npos ? '?' : '&';
  return path.append("source=").append(http::PercentEncode(source));
}

// The request's path of a restore, and its body; nullopt: neither a backup nor a time was named.
std::optional<std::pair<std::string, std::string>> RestoreOf(const ReadAction& asked) {
  const std::string time = asked.arguments.Get("--to-time");
  if (!time.empty()) return std::pair(asked.Path() + "&to_time=" + http::PercentEncode(time), asked.Body());
  if (asked.id.empty()) return std::nullopt;
  return std::pair(fmt::format("{}/{}{}", asked.action->path, http::PercentEncode(asked.id), asked.action->query),
                   std::string());
}

int Run(ReadAction asked) {
  const bool restores = asked.action->word == kRestoreWord;
  if (asked.arguments.Has("--to-time") && !restores) {
    return UsageError(kBackupCommand.name, {ErrorCode::kInvalidArgument, "--to-time is for restore"});
  }
  const bool of_source = std::find(kOfSource.begin(), kOfSource.end(), asked.action->word) != kOfSource.end();
  if (asked.arguments.Has("--source") && (!of_source || asked.arguments.Has("--drill"))) {
    return UsageError(kBackupCommand.name,
                      {ErrorCode::kInvalidArgument,
                       "--source is for list, show, verify and restore: the backups of another deployment are only "
                       "read, and none is made or removed there"});
  }
  if (asked.arguments.Has("--incremental")) {
    if (asked.action->word != kIncrement.word) {
      return UsageError(kBackupCommand.name, {ErrorCode::kInvalidArgument, "--incremental is for create"});
    }
    asked.action = &kIncrement;
  }
  if (asked.arguments.Has("--drill")) {
    if (asked.action->word != kDrill.word) {
      return UsageError(kBackupCommand.name, {ErrorCode::kInvalidArgument, "--drill is for verify"});
    }
    asked.action = &kDrill;
  }
  const auto request = restores ? RestoreOf(asked) : std::optional(std::pair(asked.Path(), asked.Body()));
  if (!request) {
    return UsageError(kBackupCommand.name,
                      {ErrorCode::kInvalidArgument, "restore needs the id of a backup, see list, or --to-time"});
  }
  const auto answer = Ask(asked.service, asked.action->method, WithSource(request->first, asked), request->second);
  if (!answer.ok()) return NotAnswered(kBackupCommand.name, answer.error());
  if (answer->status < 200 || answer->status >= 300) return Refused(kBackupCommand.name, *answer);
  if (answer->status == kAccepted && !asked.arguments.Has("--no-wait")) {
    json run = json::parse(answer->body, nullptr, false);
    if (run.is_object() && run.contains("run")) return Await(asked.service, std::move(run));
  }
  if (!answer->body.empty()) fmt::print("{}\n", answer->body);
  return kOk;
}

}  // namespace

const Command kBackupCommand{
    "backup",
    "create [ID] | list | show ID | verify ID | restore [ID] | delete ID | prune | run RUN",
    "Makes, shows, verifies, restores and removes backups of a store.",
    "Prints the service's answer as JSON. create, verify, restore and prune run in the service, also when this "
    "command\n"
    "is ended; until then it waits for them, and tells on standard error how far they are: on a terminal as one line,\n"
    "else as a JSON line each ten seconds. `restore` makes the store what the backup holds: the service reads all of\n"
    "that first, and takes a checkpoint of what there is, which it names as `undo`; with --to-time, what the store was "
    "at that\n"
    "time. `verify --drill` restores it "
    "beside\n"
    "the store, compares that with what was backed up, and leaves the store alone.",
    1,
    2,
    kOptions,
};

int RunBackup(const std::vector<std::string>& words) {
  int exit_code = kOk;
  auto asked = ReadActionWords(kBackupCommand, kActions, words, "30s", &exit_code);
  return asked ? Run(std::move(*asked)) : exit_code;
}

}  // namespace holdfast::cli
