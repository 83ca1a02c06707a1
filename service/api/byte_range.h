// The part of a value that a Range header asks for (RFC 9110, 14.1 and 14.2).
#pragma once

#include <cstddef>
#include <string_view>

namespace holdfast::api {

struct ByteRange {
  enum class Kind {
    kWhole,          // answer as if there were no Range
    kPart,           // `length` bytes from `first` on; never none
    kUnsatisfiable,  // well-formed, and none of its bytes exist
  };
  Kind kind = Kind::kWhole;
  std::size_t first = 0;
  std::size_t length = 0;

  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

// What the value of a Range header selects of `size` bytes. As the RFC has it, what is malformed or in another unit
// than bytes counts as absent; so do several ranges, which a server need not serve. Numbers may be of any length. A
// suffix of an empty value is the whole of it, for no Content-Range could name that part.
ByteRange SelectBytes(std::string_view range, std::size_t size);

}  // namespace holdfast::api
