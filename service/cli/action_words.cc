#include "service/cli/action_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "service/cli/outcome.h"

namespace holdfast::cli {
namespace {

// Why the id does not fit the action; empty: it does.
std::string IdProblem(const ActionWord& action, const std::string& id) {
  if (action.id == IdWord::kMust && id.empty()) return fmt::format("{} needs an id; see list", action.word);
  if (action.id == IdWord::kNone && !id.empty()) return fmt::format("{} takes no id; see show", action.word);
  return "";
}

}  // namespace

std::string ReadAction::Path() const {
  std::string whole(action->path);
  if (action->id == IdWord::kMust) whole += '/' + http::PercentEncode(id);
  return whole.append(action->query);
}

std::string ReadAction::Body() const {
  return action->id == IdWord::kMay && !id.empty() ? nlohmann::json{{"id", id}}.dump() : "";
}

std::optional<ReadAction> ReadActionWords(const Command& command, std::span<const ActionWord> actions,
                                          const std::vector<std::string>& words, std::string_view timeout,
                                          int* exit_code) {
  const auto wrong = [&](const Error& error) {
    *exit_code = UsageError(command.name, error);
    return std::nullopt;
  };
  const auto arguments = Parse(command, {}, words);
  if (!arguments.ok()) return wrong(arguments.error());
  if (arguments->Has("--help")) {
    fmt::print("{}", HelpOf(command, {}));
    *exit_code = kOk;
    return std::nullopt;
  }
  const std::string& word = arguments->positional[0];
  const auto action =
      std::find_if(actions.begin(), actions.end(), [&word](const ActionWord& each) { return each.word == word; });
  if (action == actions.end()) {
    return wrong({ErrorCode::kInvalidArgument,
                  fmt::format("there is no \"{}\"; it is: holdfast {} {}", word, command.name, command.synopsis)});
  }
  ReadAction read{*arguments, &*action, arguments->positional.size() > 1 ? arguments->positional[1] : "", {}};
  if (const std::string problem = IdProblem(*action, read.id); !problem.empty()) {
    return wrong({ErrorCode::kInvalidArgument, problem});
  }
  auto service = MakeServiceClient(*arguments, timeout);
  if (!service.ok()) return wrong(service.error());
  read.service = std::move(service).value();
  return read;
}

}  // namespace holdfast::cli
