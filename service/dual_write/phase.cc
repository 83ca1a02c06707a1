#include "service/dual_write/phase.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <sstream>

namespace holdfast::dual_write {
namespace {

constexpr std::array<std::string_view, 7> kPhases = {"idle",           "dual_write", "verifying", "verified",
                                                     "reads_switched", "cut_over",   "aborting"};
constexpr std::array<std::string_view, 5> kActions = {"start", "switch_reads", "switch_back", "cut_over", "abort"};

template <typename Enum, std::size_t kCount>
std::optional<Enum> Parse(const std::array<std::string_view, kCount>& names, std::string_view text) {
  const auto* found = std::find(names.begin(), names.end(), text);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

std::string_view Remedy(Action action) {
  switch (action) {
    case Action::kStart:
      return "it is idle; abort the one that is under way first";
    case Action::kSwitchReads:
      return "it is verified; wait until everything has been copied and compared";
    case Action::kSwitchBack:
      return "reads are switched; there is nothing to switch back";
    case Action::kCutOver:
      return "reads are switched; switch_reads comes first";
    case Action::kAbort:
      return "it is under way and not cut over";
  }
  return "";
}

}  // namespace

std::string_view PhaseName(Phase phase) {
  return kPhases.at(static_cast<std::size_t>(phase));
}
std::string_view ActionName(Action action) {
  return kActions.at(static_cast<std::size_t>(action));
}
std::optional<Action> ParseAction(std::string_view text) {
  return Parse<Action>(kActions, text);
}

bool WritesBoth(Phase phase) {
  return phase == Phase::kDualWrite || IsStrict(phase);
}
bool IsStrict(Phase phase) {
  return phase == Phase::kVerifying || phase == Phase::kVerified || phase == Phase::kReadsSwitched;
}

Result<Phase> PhaseAfter(Phase phase, Action action) {
  switch (action) {
    case Action::kStart:
      if (phase == Phase::kIdle) return Phase::kDualWrite;
      break;
    case Action::kSwitchReads:
      if (phase == Phase::kVerified) return Phase::kReadsSwitched;
      break;
    case Action::kSwitchBack:
      if (phase == Phase::kReadsSwitched) return Phase::kVerified;
      break;
    case Action::kCutOver:
      if (phase == Phase::kReadsSwitched) return Phase::kCutOver;
      break;
    case Action::kAbort:
      if (WritesBoth(phase)) return Phase::kAborting;
      break;
  }
  return Error(ErrorCode::kFailedPrecondition, fmt::format("the migration is {}; {} takes effect while {}",
                                                           PhaseName(phase), ActionName(action), Remedy(action)));
}

std::string PhaseRow::Encode() const {
  return fmt::format("{} {} {} {} {}", epoch, id.empty() ? "-" : id, PhaseName(from), PhaseName(phase),
                     pending ? "pending" : "settled");
}

std::optional<PhaseRow> PhaseRow::Decode(std::string_view bytes) {
  std::istringstream words{std::string(bytes)};
  PhaseRow row;
  std::string from;
  std::string phase;
  std::string step;
  std::string rest;
  if (!(words >> row.epoch >> row.id >> from >> phase >> step) || words >> rest) return std::nullopt;
  const auto parsed_from = Parse<Phase>(kPhases, from);
  const auto parsed_phase = Parse<Phase>(kPhases, phase);
  if (!parsed_from || !parsed_phase || (step != "pending" && step != "settled")) return std::nullopt;
  if (row.id == "-") row.id.clear();
  row.from = *parsed_from;
  row.phase = *parsed_phase;
  row.pending = step == "pending";
  return row;
}

}  // namespace holdfast::dual_write
