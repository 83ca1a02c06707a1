// How an entry stands in Redis: one string with a head of fixed width, which the scripts read and write, the attributes
// and the value. docs/formats/redis.md is the published description. Pure functions over bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result/result.h"
#include "service/compression/codec.h"
#include "service/storage/types.h"

namespace holdfast::storage::redis_backend {

// The instants and versions a record can hold: 16 decimal digits that a double tells apart (Lua has no other number);
// 2^53 microseconds are the year 2255.
inline constexpr std::int64_t kLargestNumber = (std::int64_t{1} << 53) - 1;

// 16 digits. What is outside 1 to kLargestNumber becomes the nearest that is in it: an instant before 1970 has passed,
// one behind 2255 never comes.
std::string Digits(std::int64_t number);
// Of a version that a client names; one that no entry can have matches none.
std::string VersionDigits(Version version);
// An expiry as the record will hold it.
Timestamp Storable(Timestamp at);

// Content type, metadata and tags of an entry or a put, behind the eight digits of their length. `room`: bytes that
// will be appended.
std::string EncodeAttributes(std::string_view content_type, std::string_view metadata,
                             const std::vector<std::string>& tags, std::size_t room = 0);

// What a record begins with: its value is as it was put, or packed.
inline constexpr char kPlainRecord = '1';
inline constexpr char kPackedRecord = '2';

// The scripts read counters and fencing tokens: what is shorter is never packed.
inline constexpr std::size_t kLeastPacked = 64;
// A compressed value with what the scripts have to know of it; stands in a record of format 2 in the place of the
// value. nullopt when the value is left as it is.
std::optional<std::string> PackValue(std::string_view value, const compression::Options& options);
// What the scripts compare a stored value with: the SHA-256, by which they know a packed one, and the bytes.
std::string Comparable(std::string_view value);

// kCorruption when it is no record.
Result<EntryPtr> DecodeRecord(std::string_view record);
// Of a record of which only the beginning is given, up to the end of the attributes.
Result<EntryPtr> DecodeWithoutValue(std::string_view beginning);

}  // namespace holdfast::storage::redis_backend
