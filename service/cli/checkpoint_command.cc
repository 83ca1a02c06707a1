#include "service/cli/checkpoint_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "service/cli/outcome.h"
#include "service/cli/service_client.h"
#include "service/cli/token_file.h"

namespace holdfast::cli {
namespace {

constexpr std::string_view kPatience = "5m";
constexpr int kUnprocessable = 422;

constexpr Option kOptions[] = {
    kUrlOption,
    kStoreNameOption,
    kTokenFileOption,
    {"--timeout", "DURATION", "how long it may take; default: 5m, if the service allows that"},
    {"--help", "", "this text"},
};

struct Action {
  std::string_view word;
  std::string_view method;
  std::string_view query;  // behind the id
  bool needs_id;
};
constexpr std::array kActions = {
    Action{"create", "POST", "", false},
    Action{"list", "GET", "", false},
    Action{"show", "GET", "", true},
    Action{"validate", "POST", "?action=validate", true},
    Action{"restore", "POST", "?action=restore", true},
    Action{"delete", "DELETE", "", true},
};

int Run(const ServiceClient& service, const Action& action, const std::string& id) {
  const bool create = action.word == "create";
  const std::string path = id.empty() || create ? "/checkpoints" : "/checkpoints/" + http::PercentEncode(id);
  std::string body;
  if (create && !id.empty()) body = nlohmann::json{{"id", id}}.dump();
  const auto answer = Ask(service, action.method, path + std::string(action.query), std::move(body));
  if (!answer.ok()) return NotAnswered(kCheckpointCommand.name, answer.error());
  if (answer->status >= 200 && answer->status < 300) {
    if (!answer->body.empty()) fmt::print("{}\n", answer->body);
    return kOk;
  }
  const int code = Refused(kCheckpointCommand.name, *answer);
  return answer->status == kUnprocessable ? kNo : code;
}

}  // namespace

const Command kCheckpointCommand{
    "checkpoint",
    "create [ID] | list | show ID | validate ID | restore ID | delete ID",
    "Takes, shows, validates, restores and removes checkpoints of a store.",
    "Prints the service's answer as JSON. `restore` makes the store what the checkpoint holds: the service reads all "
    "of\n"
    "that first, and takes a checkpoint of what there is, which it names as `undo`.",
    1,
    2,
    kOptions,
};

int RunCheckpoint(const std::vector<std::string>& words) {
  const auto wrong = [](std::string message) {
    return UsageError(kCheckpointCommand.name, {ErrorCode::kInvalidArgument, std::move(message)});
  };
  const auto arguments = Parse(kCheckpointCommand, {}, words);
  if (!arguments.ok()) return UsageError(kCheckpointCommand.name, arguments.error());
  if (arguments->Has("--help")) {
    fmt::print("{}", HelpOf(kCheckpointCommand, {}));
    return kOk;
  }
  const std::string& word = arguments->positional[0];
  const std::string id = arguments->positional.size() > 1 ? arguments->positional[1] : "";
  const auto* const action =
      std::find_if(kActions.begin(), kActions.end(), [&](const Action& each) { return each.word == word; });
  if (action == kActions.end()) {
    return wrong(fmt::format("there is no \"{}\"; it is: holdfast checkpoint {}", word, kCheckpointCommand.synopsis));
  }
  if (action->needs_id && id.empty()) return wrong(fmt::format("{} needs the id of a checkpoint; see list", word));
  if (word == "list" && !id.empty()) return wrong("list takes no id; see show");
  const auto service = MakeServiceClient(*arguments, kPatience);
  if (!service.ok()) return UsageError(kCheckpointCommand.name, service.error());
  return Run(*service, *action, id);
}

}  // namespace holdfast::cli
