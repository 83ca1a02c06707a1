// The filter language of lists and of collections, and its syntax tree:
//
//   filter     = comparison *( " and " comparison )
//   comparison = path ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) literal
//              | path "in" "(" literal *( "," literal ) ")"
//              | path "has" literal
//              | path "exists"
//   path       = segment *( "." segment )
//   segment    = ( ALPHA | "_" ) *( ALPHA | DIGIT | "_" | "-" )  |  string
//   literal    = string | number | "true" | "false" | "null"
//
// Strings and numbers are written as in JSON (RFC 8259); words are in lower case; blanks, tabs and line ends may stand
// between any two parts. A filter is only ever this tree: it is never pasted into the language of a database.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "service/storage/scan_filter.h"

namespace holdfast::query {

// A number written without fraction and exponent is an integer.
using storage::Comparison;
using storage::IsOrdering;
using storage::Literal;
using storage::Operator;
// As it is written: "=", "in", ...
std::string_view OperatorName(Operator op);

// Holds when all of its comparisons do.
struct Filter {
  std::vector<Comparison> comparisons;  // one or more
};

struct FilterLimits {
  std::size_t max_bytes = 4096;      // of the text
  std::size_t max_comparisons = 32;  // joined by "and"
  std::size_t max_path_segments = 16;
  std::size_t max_literals = 1000;  // of one "in"
};

// kInvalidArgument names the byte where reading stopped, what stands there and what to write. Invalid UTF-8, integers
// beyond 64 signed bits and numbers beyond double are refused.
Result<Filter> ParseFilter(std::string_view text, const FilterLimits& limits = {});

// The same filter in one spelling: equal filters have equal texts, and ParseFilter reads it back.
std::string ToText(const Filter& filter);
std::string PathText(const std::vector<std::string>& path);

}  // namespace holdfast::query
