// One of the five fields of a cron expression. Pure.
#pragma once

#include <bitset>
#include <span>
#include <string_view>

#include "base/result/result.h"

namespace holdfast::cron {

inline constexpr int kMaxFieldValue = 59;

struct FieldKind {
  std::string_view name;  // "day of month"
  int first = 0;
  int last = 0;
  std::span<const std::string_view> names;  // of first, first + 1, ...; empty: it has none
};

struct Field {
  std::bitset<kMaxFieldValue + 1> values;
  bool any = false;  // `*` or `?` is among its terms: it restricts nothing
};

// Terms with commas between them, each a value, `*` (or `?`), or a range a-b; with /n every nth of it, from a where it
// is a value. Names in any case. kInvalidArgument naming the field, what is wrong and what may be there.
Result<Field> ParseField(std::string_view text, const FieldKind& kind);

}  // namespace holdfast::cron
