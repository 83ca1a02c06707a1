// CBOR sequences (RFC 8742): where an item ends, without reading it.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/result/result.h"

namespace holdfast::json {

// Bytes of the first item; 0: it goes on behind the end of `bytes`. kInvalidArgument when no item begins so, or it is
// nested deeper than JsonLimits allows.
Result<std::size_t> CborItemSize(std::string_view bytes);

}  // namespace holdfast::json
