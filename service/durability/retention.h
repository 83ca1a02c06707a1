// Which checkpoints of a store have to go; pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/time/clock.h"

namespace holdfast::durability {

struct RetentionOptions {
  std::size_t keep = 10;                 // so many of the newest
  std::chrono::microseconds keep_for{};  // and none older than this; 0: of any age
};

struct Retained {
  std::string id;
  Timestamp created_at{};
  bool validated = false;
};

// `all`: the newest last. Never among them: the newest one that is validated, `all`'s newest, and what `in_use` names.
std::vector<std::string> Expendable(std::span<const Retained> all, const RetentionOptions& options, Timestamp now,
                                    std::span<const std::string> in_use);

}  // namespace holdfast::durability
