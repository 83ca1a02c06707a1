// The order-preserving encoding of the values an index holds: comparing encoded bytes compares the values, and no
// encoded value is a prefix of another, so that an id may follow. docs/formats/documents.md is the published form.
//
// The one order: missing < null < false < true < numbers < strings < arrays and objects (all of them alike). Numbers
// are compared exactly, whether 64-bit integers or doubles. Strings are compared by bytes, as far as they are kept: an
// encoded string is at most `max_string_bytes` long and marked where it was cut. Cut strings with the same beginning
// encode alike: who looks for one of them has to look at the document too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "service/storage/types.h"

namespace holdfast::documents {

struct Missing {
  friend bool operator==(Missing, Missing) = default;
};
struct Null {
  friend bool operator==(Null, Null) = default;
};
struct Composite {  // an array or an object
  friend bool operator==(Composite, Composite) = default;
};
using IndexValue = std::variant<Missing, Null, bool, std::int64_t, double, std::string, Composite>;

// Longest encoded string that rows have room for (storage::kReservedKeyBytes).
inline constexpr std::size_t kMaxIndexedValueBytes = 512;
inline constexpr std::size_t kDefaultIndexedValueBytes = 256;

// A double that is not finite is a programming error: JSON has none.
void AppendIndexValue(const IndexValue& value, std::size_t max_string_bytes, std::string* out);
std::string EncodeIndexValue(const IndexValue& value, std::size_t max_string_bytes);

// Bytes of the encoded value at the beginning of `text`; 0 when there is none.
std::size_t IndexValueBytes(std::string_view text);
// Whether the value was cut; `encoded` is what EncodeIndexValue gave.
bool IsCut(std::string_view encoded);

// Every encoded value of the same kind: all numbers, all strings, both booleans, ...; what an open comparison ends at.
storage::KeyRange SameKind(const IndexValue& value);

}  // namespace holdfast::documents
