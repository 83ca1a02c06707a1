#include "service/cli/migration_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/http/http_client.h"
#include "service/cli/outcome.h"
#include "service/cli/progress_line.h"
#include "service/cli/service_client.h"
#include "service/cli/token_file.h"

namespace holdfast::cli {
namespace {

using http::ClientResponse;
using nlohmann::json;

constexpr std::chrono::milliseconds kLook{250};
// Of --wait with a service that does not answer: it may be restarted, and the migration goes on then.
constexpr std::chrono::seconds kPatience{60};

constexpr Option kOptions[] = {
    {"--wait", "", "until it goes on no further by itself, with progress on standard error"},
    kUrlOption,
    kStoreNameOption,
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

Result<ClientResponse> Ask(const ServiceClient& service, std::string_view action) {
  return Ask(service, action.empty() ? "GET" : "POST",
             action.empty() ? "/migration" : fmt::format("/migration?action={}", action));
}

// Whether it stays in this phase until somebody leads it on.
bool Rests(const json& report) {
  if (report.value("pending", false)) return false;
  const std::string phase = report.value("phase", "");
  return phase != "dual_write" && phase != "verifying" && phase != "aborting";
}

void Tell(const json& report, ProgressLine* progress) {
  const bool comparing = report.value("phase", "") == "verifying";
  progress->Tell(fmt::format("{}{}: {} of some {} keys {}, {} differences", report.value("phase", ""),
                             report.value("pending", false) ? " (pending)" : "",
                             report.value(comparing ? "compared" : "copied", 0), report.value("total", 0),
                             comparing ? "compared" : "copied", report.value("differences", 0)),
                 report.dump());
}

bool MayPass(const Result<ClientResponse>& answer) {
  return !answer.ok() || answer->status == 503 || answer->status == 504;
}

// The last answer, once the migration rests; an answer that says something else, or none, when it stays so.
Result<ClientResponse> Await(const ServiceClient& service, Result<ClientResponse> answer) {
  ProgressLine progress;
  Deadline patience = Deadline::After(kPatience);
  while (true) {
    if (!MayPass(answer)) {
      patience = Deadline::After(kPatience);
      const json report = json::parse(answer->body, nullptr, false);
      if (answer->status != 200 || !report.is_object() || Rests(report)) return answer;
      Tell(report, &progress);
    } else if (patience.Expired()) {
      return answer;
    }
    std::this_thread::sleep_for(kLook);
    answer = Ask(service, "");
  }
}

bool Is(const Result<ClientResponse>& answer, std::string_view phase) {
  if (!answer.ok() || answer->status != 200) return false;
  const json report = json::parse(answer->body, nullptr, false);
  return report.is_object() && report.value("phase", "") == phase;
}

// Asks again while another change is under way, and while it is not known whether the action was taken up.
Result<ClientResponse> Lead(const ServiceClient& service, const Action& action) {
  const Deadline patience = Deadline::After(kPatience);
  Result<ClientResponse> answer = Ask(service, "");
  // Nobody is there to begin with.
  if (!answer.ok()) return answer;
  for (bool asked = false;; asked = true) {
    answer = Await(service, std::move(answer));
    const bool there = asked && Is(answer, action.phase);
    if (MayPass(answer) || answer->status != 200 || action.name.empty() || there) return answer;
    answer = Ask(service, action.name);
    if (!MayPass(answer)) return answer->status == 200 ? Await(service, std::move(answer)) : std::move(answer);
    if (patience.Expired()) return answer;
  }
}

int Run(const ServiceClient& service, const Action& action, bool wait) {
  const Result<ClientResponse> answer = wait ? Lead(service, action) : Ask(service, action.name);
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
  const auto service = MakeServiceClient(*arguments, "10s");
  if (!service.ok()) return UsageError(kMigrationCommand.name, service.error());
  return Run(*service, *action, arguments->Has("--wait"));
}

}  // namespace holdfast::cli
