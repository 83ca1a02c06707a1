#include "service/cli/migration_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/http/http_client.h"
#include "base/time/duration.h"
#include "service/cli/outcome.h"
#include "service/cli/token_file.h"

namespace holdfast::cli {
namespace {

using http::ClientResponse;
using nlohmann::json;
using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLook{250};
constexpr std::chrono::seconds kOnATerminal{1};
constexpr std::chrono::seconds kElsewhere{10};
// Of --wait with a service that does not answer: it may be restarted, and the migration goes on then.
constexpr std::chrono::seconds kPatience{60};
// Longer than the service's own deadline, so that its answer says what happened.
constexpr std::chrono::seconds kGrace{2};
constexpr char kOver[] = "\r\x1b[K";

constexpr Option kOptions[] = {
    {"--wait", "", "until it goes on no further by itself, with progress on standard error"},
    {"--url", "URL", "the service; default: $HOLDFAST_URL or http://127.0.0.1:8080"},
    {"--store", "NAME", "default: _default"},
    kTokenFileOption,
    {"--timeout", "DURATION", "how long to wait for an answer; default: 10s"},
    {"--help", "", "this text"},
};

// As people write it, and as the service does.
struct Action {
  std::string_view word;
  std::string_view name;   // empty: nothing is asked of the migration
  std::string_view phase;  // in which it rests then
};
constexpr std::array kActions = {
    Action{"status", "", ""},
    Action{"start", "start", "verified"},
    Action{"switch-reads", "switch_reads", "reads_switched"},
    Action{"switch-back", "switch_back", "verified"},
    Action{"cut-over", "cut_over", "cut_over"},
    Action{"abort", "abort", "idle"},
};

struct Session {
  http::HttpClient& client;
  std::string path;
  std::chrono::microseconds timeout{};
};

Result<ClientResponse> Ask(const Session& session, std::string_view action) {
  http::ClientRequest request;
  request.method = action.empty() ? "GET" : "POST";
  request.target = action.empty() ? session.path : fmt::format("{}?action={}", session.path, action);
  request.headers.emplace("Holdfast-Timeout", FormatDuration(session.timeout));
  return session.client.Send(request, Deadline::After(session.timeout + kGrace));
}

// Whether it stays in this phase until somebody leads it on.
bool Rests(const json& report) {
  if (report.value("pending", false)) return false;
  const std::string phase = report.value("phase", "");
  return phase != "dual_write" && phase != "verifying" && phase != "aborting";
}

// To people as one line that is written over, otherwise the service's report, a line each time. Not thread-safe.
class Progress {
 public:
  ~Progress() {
    if (shown_) fmt::print(stderr, "{}", kOver);
  }
  void Tell(const json& report) {
    const auto now = SteadyClock::now();
    if (now - told_at_ < (terminal_ ? kOnATerminal : kElsewhere)) return;
    told_at_ = now;
    if (!terminal_) {
      fmt::print(stderr, "{}\n", report.dump());
      return;
    }
    const bool comparing = report.value("phase", "") == "verifying";
    fmt::print(stderr, "{}{}{}: {} of some {} keys {}, {} differences", kOver, report.value("phase", ""),
               report.value("pending", false) ? " (pending)" : "", report.value(comparing ? "compared" : "copied", 0),
               report.value("total", 0), comparing ? "compared" : "copied", report.value("differences", 0));
    std::fflush(stderr);
    shown_ = true;
  }

 private:
  const bool terminal_ = isatty(STDERR_FILENO) == 1;
  SteadyClock::time_point told_at_ = SteadyClock::now();
  bool shown_ = false;
};

bool MayPass(const Result<ClientResponse>& answer) {
  return !answer.ok() || answer->status == 503 || answer->status == 504;
}

// The last answer, once the migration rests; an answer that says something else, or none, when it stays so.
Result<ClientResponse> Await(const Session& session, Result<ClientResponse> answer) {
  Progress progress;
  Deadline patience = Deadline::After(kPatience);
  while (true) {
    if (!MayPass(answer)) {
      patience = Deadline::After(kPatience);
      const json report = json::parse(answer->body, nullptr, false);
      if (answer->status != 200 || !report.is_object() || Rests(report)) return answer;
      progress.Tell(report);
    } else if (patience.Expired()) {
      return answer;
    }
    std::this_thread::sleep_for(kLook);
    answer = Ask(session, "");
  }
}

bool Is(const Result<ClientResponse>& answer, std::string_view phase) {
  if (!answer.ok() || answer->status != 200) return false;
  const json report = json::parse(answer->body, nullptr, false);
  return report.is_object() && report.value("phase", "") == phase;
}

// Asks again while another change is under way, and while it is not known whether the action was taken up.
Result<ClientResponse> Lead(const Session& session, const Action& action) {
  const Deadline patience = Deadline::After(kPatience);
  Result<ClientResponse> answer = Ask(session, "");
  // Nobody is there to begin with.
  if (!answer.ok()) return answer;
  for (bool asked = false;; asked = true) {
    answer = Await(session, std::move(answer));
    const bool there = asked && Is(answer, action.phase);
    if (MayPass(answer) || answer->status != 200 || action.name.empty() || there) return answer;
    answer = Ask(session, action.name);
    if (!MayPass(answer)) return answer->status == 200 ? Await(session, std::move(answer)) : std::move(answer);
    if (patience.Expired()) return answer;
  }
}

int Run(const Session& session, const Action& action, bool wait) {
  const Result<ClientResponse> answer = wait ? Lead(session, action) : Ask(session, action.name);
  if (!answer.ok()) return NotAnswered(kMigrationCommand.name, answer.error());
  if (answer->status != 200) return Refused(kMigrationCommand.name, *answer);
  fmt::print("{}\n", answer->body);
  return kOk;
}

}  // namespace

const Command kMigrationCommand{
    "migration",
    "status|start|switch-reads|switch-back|cut-over|abort",
    "Shows and leads the move of a store to its migrate_to.",
    "Prints the report of the service as JSON. `start` copies and compares everything (phase dual_write, verifying,\n"
    "verified); `switch-reads` has the new backend answer reads, `switch-back` the old one again; `cut-over` ends the\n"
    "move, and there is no way back; `abort` removes what was copied. docs/store-migration.md says what each "
    "promises.\n\n"
    "With --wait progress is told on standard error: on a terminal as one line, else as a JSON line each ten seconds.",
    1,
    1,
    kOptions,
};

int RunMigration(const std::vector<std::string>& words) {
  const auto wrong = [](std::string message) {
    return UsageError(kMigrationCommand.name, {ErrorCode::kInvalidArgument, std::move(message)});
  };
  const auto arguments = Parse(kMigrationCommand, {}, words);
  if (!arguments.ok()) return UsageError(kMigrationCommand.name, arguments.error());
  if (arguments->Has("--help")) {
    fmt::print("{}", HelpOf(kMigrationCommand, {}));
    return kOk;
  }
  const auto* const action = std::find_if(kActions.begin(), kActions.end(),
                                          [&](const Action& each) { return each.word == arguments->positional[0]; });
  if (action == kActions.end())
    return wrong(fmt::format("there is no \"{}\"; it is: holdfast migration {}", arguments->positional[0],
                             kMigrationCommand.synopsis));
  const auto timeout = ParseDuration(arguments->Get("--timeout", "10s"));
  if (!timeout.ok() || *timeout <= std::chrono::microseconds::zero()) {
    return wrong("--timeout is not a duration above zero, like 10s");
  }
  http::ClientOptions options;
  options.base_url = ServiceUrl(*arguments, "HOLDFAST_URL", "http://127.0.0.1:8080");
  if (!options.base_url.starts_with("http://") && !options.base_url.starts_with("https://")) {
    return wrong("the URL must begin with http:// or https://");
  }
  const auto token = ReadTokenFile(*arguments);
  if (!token.ok()) return UsageError(kMigrationCommand.name, token.error());
  if (!token->empty()) options.bearer_token = [text = *token] { return text; };
  http::HttpClient client(std::move(options));
  const std::string store = http::PercentEncode(arguments->Get("--store", "_default"));
  return Run({client, fmt::format("/v1/stores/{}/migration", store), *timeout}, *action, arguments->Has("--wait"));
}

}  // namespace holdfast::cli
