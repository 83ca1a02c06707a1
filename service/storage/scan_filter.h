// Conditions on entries in a form that a backend can hand to the server behind it: plain data, bound to the fields that
// entries have. What they mean, and whether one holds, is said in one place, service/query/evaluate.h and
// service/query/entry_filter.h; whoever scans holds every entry against that, whatever the backend has left out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace holdfast::storage {

// nullptr_t is JSON's null.
using Literal = std::variant<std::nullptr_t, bool, std::int64_t, double, std::string>;

enum class Operator { kEqual, kNotEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual, kIn, kHas, kExists };
// Whether it asks for an order, and not only whether two values are the same.
constexpr bool IsOrdering(Operator op) {
  return op == Operator::kLess || op == Operator::kLessOrEqual || op == Operator::kGreater ||
         op == Operator::kGreaterOrEqual;
}

struct Comparison {
  std::vector<std::string> path;  // one segment or more; none of them is quoted or escaped here
  Operator op = Operator::kEqual;
  std::vector<Literal> literals;  // kExists: none. kIn: one or more. Else: one; a number or a string where it orders.
  std::size_t position = 1;       // where it begins in the text, the first byte is 1; for messages
};

// A comparison with a field of entries. The path of one with kMetadata begins with "metadata" and goes on with the
// names of its members; of the others it is the field. Literals of instants are microseconds since 1970; those of kKey,
// of kContentType and of kTags are strings, of kSize numbers.
struct EntryCondition {
  enum class Field { kKey, kSize, kContentType, kCreatedAt, kUpdatedAt, kExpiresAt, kTags, kMetadata };
  Field field = Field::kKey;
  Comparison comparison;
};

// All have to hold. Shared between the scans of a list; immutable.
using EntryConditions = std::shared_ptr<const std::vector<EntryCondition>>;

// Of a scan: a backend may leave out entries for which the conditions do not hold, and need not; it never leaves out
// one for which they do. One that does ends its page also by these limits, and says how far it got (ScanPage::reached).
struct ScanFilter {
  EntryConditions conditions;     // never null
  std::size_t max_matches = 100;  // entries in the page
  // Entries looked at; not a limit where an index of the server finds the matches.
  std::size_t max_examined = 10'000;
};

}  // namespace holdfast::storage
