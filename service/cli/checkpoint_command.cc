#include "service/cli/checkpoint_command.h"

#include <fmt/format.h>

#include <array>

#include "service/cli/action_words.h"
#include "service/cli/outcome.h"
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

constexpr std::array kActions = {
    ActionWord{"create", IdWord::kMay, "POST", "/checkpoints"},
    ActionWord{"list", IdWord::kNone, "GET", "/checkpoints"},
    ActionWord{"show", IdWord::kMust, "GET", "/checkpoints"},
    ActionWord{"validate", IdWord::kMust, "POST", "/checkpoints", "?action=validate"},
    ActionWord{"restore", IdWord::kMust, "POST", "/checkpoints", "?action=restore"},
    ActionWord{"delete", IdWord::kMust, "DELETE", "/checkpoints"},
};

int Run(const ReadAction& asked) {
  const auto answer = Ask(asked.service, asked.action->method, asked.Path(), asked.Body());
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
  int exit_code = kOk;
  const auto asked = ReadActionWords(kCheckpointCommand, kActions, words, kPatience, &exit_code);
  return asked ? Run(*asked) : exit_code;
}

}  // namespace holdfast::cli
