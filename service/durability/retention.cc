#include "service/durability/retention.h"

#include <algorithm>

namespace holdfast::durability {

std::vector<std::string> Expendable(std::span<const Retained> all, const RetentionOptions& options, Timestamp now,
                                    std::span<const std::string> in_use) {
  std::vector<std::string> expendable;
  bool validated_seen = false;
  for (std::size_t newer = 0; newer < all.size(); ++newer) {
    const Retained& one = all[all.size() - 1 - newer];
    const bool newest_validated = one.validated && !validated_seen;
    validated_seen = validated_seen || one.validated;
    const bool too_many = newer >= options.keep;
    const bool too_old = options.keep_for.count() > 0 && now - one.created_at > options.keep_for;
    const bool used = std::find(in_use.begin(), in_use.end(), one.id) != in_use.end();
    if ((too_many || too_old) && !newest_validated && !used && newer > 0) expendable.push_back(one.id);
  }
  return expendable;
}

}  // namespace holdfast::durability
