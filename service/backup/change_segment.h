// A piece of the change log of a store as bytes; docs/formats/change-segment.md is the published description, and a
// golden test holds the two together. Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "service/backup/object_cipher.h"
#include "service/durability/sha256_stream.h"
#include "service/storage/change_history.h"

namespace holdfast::backup {

inline constexpr std::uint32_t kChangeSegmentFormat = 1;
// The largest that is read: the changes of one transaction are never cut.
inline constexpr std::size_t kMaxSegmentBytes = std::size_t{1} << 30;

struct SegmentHeader {
  std::uint64_t number = 0;       // from 1, one behind the other
  durability::Digest previous{};  // of the segment of the number before; zeros for the first
  std::uint64_t since = 0;        // the number of the segment from which on nothing is missing
  // Why changes between the segment before and this one are missing; empty: none are. With it there are no changes.
  std::string gap;
  // Everything that was acknowledged behind `from` and up to `until` is in here.
  Timestamp from{};
  Timestamp until{};
  std::uint64_t changes = 0;
  std::string store;
  std::string backend;   // Backend::kind()
  std::string position;  // of the history, behind the last change
};

struct Segment {
  SegmentHeader header;
  std::vector<storage::KeyChange> changes;  // of keys without the store's name
  durability::Digest digest{};              // of the object but its last 32 bytes, which are this
};

// "the change log is damaged (what): ...", kCorruption.
Error DamagedLog(std::string_view what);

// The name of its object.
std::string SegmentName(std::uint64_t number);
// nullopt: it is that of no segment.
std::optional<std::uint64_t> SegmentNumber(std::string_view object);

struct SegmentKey {
  std::optional<BackupKey> key;  // none: it is not encrypted
  std::string folder;            // that its object lies in, to which the encryption binds it
  std::string setting = kKeySetting;
};
// header.changes is counted here. `level`: of Zstandard. `salt`: of kSaltBytes, random.
std::string EncodeSegment(const SegmentHeader& header, const std::vector<storage::KeyChange>& changes,
                          const SegmentKey& key, int level, std::string_view salt);
// `number`: that its name says. kCorruption; kFailedPrecondition when it is sound and of a format that this program
// does not know, or needs a key that we do not have, or is not encrypted and we have one.
Result<Segment> DecodeSegment(std::string_view bytes, std::uint64_t number, const SegmentKey& key);
// Of any bytes: the digest of a segment that is damaged.
durability::Digest DigestOf(std::string_view bytes);

}  // namespace holdfast::backup
