// Which backup an increment builds on; pure.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "service/backup/catalogue.h"

namespace holdfast::backup {

struct ParentRules {
  std::size_t max_increments = 0;  // behind a full one; 0: none
  bool verified = true;            // only on one that was read and found sound
};

struct ParentChoice {
  std::optional<std::string> id;
  std::string reason;  // why there is none: what is made is a full one
};

// The newest sound one of `all` (the newest last) that nobody is about to remove, unless its chain is as long as it may
// be.
ParentChoice ChooseParent(std::span<const StoredBackup> all, const ParentRules& rules);

}  // namespace holdfast::backup
