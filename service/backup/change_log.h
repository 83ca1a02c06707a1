// The change log of a store on its target, beside the store's backups: segments with numbers in a row, each of which
// names the one before by its SHA-256.
//
//   <store>.changes/log/000000000001 ...   docs/formats/change-segment.md
//
// Segments are only ever added, whole, and removed from the front.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/backup/change_segment.h"
#include "service/backup/target.h"

namespace holdfast::backup {

// The store's part of the place: what a target of its backups is given for a name, with this behind. No store has a
// point in its name.
inline constexpr std::string_view kChangesSuffix = ".changes";

// Thread-safe.
class ChangeLog {
 public:
  // `key`: none, segments are neither encrypted nor decrypted. `key_setting`: as kKeySetting.
  ChangeLog(std::shared_ptr<Target> target, const std::string& store, const std::optional<BackupKey>& key,
            const std::string& key_setting = kKeySetting);

  struct Listed {
    std::uint64_t number = 0;
    Timestamp modified_at{};
  };
  // In their order; the last one may be what was left of a Put, and is not found then.
  Result<std::vector<Listed>> List(Deadline deadline) const;
  // kNotFound; kCorruption; as DecodeSegment.
  Result<Segment> Read(std::uint64_t number, Deadline deadline) const;

  // The last one that is there.
  struct Newest {
    SegmentHeader header;         // of a damaged one its number alone
    durability::Digest digest{};  // of a damaged one that of its bytes
    std::string damage;           // empty: there is none
  };
  Result<std::optional<Newest>> ReadNewest(Deadline deadline) const;

  // A segment as it will lie there.
  struct Encoded {
    SegmentHeader header;
    durability::Digest digest{};
    std::string bytes;
  };
  Encoded Encode(SegmentHeader header, const std::vector<storage::KeyChange>& changes, int level) const;
  // kAlreadyExists: one of that number is there. Whose outcome is not known may be put by the server at any time to
  // come: only the same bytes may be given that number again.
  Status Append(const Encoded& segment, Deadline deadline) const;
  // As Target.
  Result<bool> CreatesOnce(Deadline deadline) const { return target_->CreatesOnce(deadline); }
  std::string Describe() const { return target_->Describe(); }
  // Those below `number` that were written before `before`; how many.
  Result<std::size_t> RemoveBelow(std::uint64_t number, Timestamp before, Deadline deadline) const;

 private:
  const std::shared_ptr<Target> target_;
  const SegmentKey key_;
};

}  // namespace holdfast::backup
