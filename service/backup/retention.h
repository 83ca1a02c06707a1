// Which backups of a store are not to be kept; pure.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/time/clock.h"

namespace holdfast::backup {

// A backup stays when one of these has it stay; all of them 0: every one does.
struct RetentionOptions {
  std::size_t keep_last = 7;
  // The newest of each of so many days (of UTC), the last ones that have any.
  std::size_t keep_days = 0;
  // Likewise of weeks, which begin on Monday.
  std::size_t keep_weeks = 0;
};

struct Retained {
  std::string id;
  Timestamp created_at{};
  bool verified = false;
  bool drilled = false;  // with success
  bool in_use = false;   // stays
  std::string parent{};  // that it builds on, which stays as long; empty: it is a full one
  std::size_t link = 0;  // of its chain
};

// `all`: the newest last. Never among them: the newest one that is verified, the newest one that passed a drill,
// `all`'s newest, and what one that stays builds on. None of them stands before what builds on it.
std::vector<std::string> Expendable(std::span<const Retained> all, const RetentionOptions& options);

}  // namespace holdfast::backup
