// Whether a comparison holds for a value.
//
// What is missing satisfies nothing but a filter that does not ask for it; `exists` tells. Values of different types
// never compare: neither =, nor !=, nor an order holds. null is the one exception: `= null` holds for null and
// `!= null` for everything else that is there. Integers and doubles are one type and compare by their exact values.
// Strings compare by bytes, which for UTF-8 is the order of code points. `has` holds for an array with such an element.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <vector>

#include "service/json/json_value.h"
#include "service/query/filter.h"

namespace holdfast::query {

// unordered: of different types.
std::partial_ordering Compare(const Literal& left, const Literal& right);

// nullopt for arrays and objects. A JSON integer beyond 64 signed bits is the double next to it.
std::optional<Literal> ScalarOf(const json::JsonValue& value);

// Down the members of objects; nullptr when the path leads nowhere. `first`: how many segments to leave out.
const json::JsonValue* FindPath(const json::JsonValue& root, const std::vector<std::string>& path,
                                std::size_t first = 0);

// A comparison with a single value, for every operator but kHas and kExists.
bool Holds(const Comparison& comparison, const Literal& value);
// nullptr: there is no such value.
bool Holds(const Comparison& comparison, const json::JsonValue* value);

// Paths lead into the document.
bool Matches(const Filter& filter, const json::JsonValue& document);

}  // namespace holdfast::query
