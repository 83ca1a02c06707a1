// What PostgreSQL keeps of a password and takes instead of one: with it a role gets its password without the server,
// its log or its statistics ever seeing it. RFC 5802 and RFC 7677, in the form of the documentation of pg_authid.
// Thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "base/result/result.h"

namespace holdfast::certificates {

// "SCRAM-SHA-256$4096:<salt>$<StoredKey>:<ServerKey>" with a salt of the system's random source. `password` is of ASCII
// characters, which SASLprep leaves as they are; kInvalidArgument otherwise, kUnavailable when the random source or the
// library fails.
Result<std::string> ScramVerifier(std::string_view password);

// The same with a salt that is given; any bytes.
Result<std::string> ScramVerifier(std::string_view password, std::string_view salt);

}  // namespace holdfast::certificates
