#include "service/backup/parent_choice.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::backup {
namespace {

bool CanBeParent(const StoredBackup& one, const ParentRules& rules) {
  if (one.damage || one.manifest.index.empty() || !one.doomed.empty()) return false;
  return one.verified_at.has_value() || !rules.verified;
}

}  // namespace

ParentChoice ChooseParent(std::span<const StoredBackup> all, const ParentRules& rules) {
  const auto newest =
      std::find_if(all.rbegin(), all.rend(), [&rules](const StoredBackup& one) { return CanBeParent(one, rules); });
  if (newest == all.rend()) {
    return {std::nullopt, rules.verified ? "there is no verified backup of this format that it could build on"
                                         : "there is no backup of this format that it could build on"};
  }
  if (newest->manifest.link < rules.max_increments) return {newest->id, ""};
  return {std::nullopt, fmt::format("backup {} is the last of {} increments, and there may be no more", newest->id,
                                    newest->manifest.link)};
}

}  // namespace holdfast::backup
