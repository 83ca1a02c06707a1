// The rows that a migration keeps beside a store's entries, in a space that no store and no client can name:
//
//   \1 store \0 letter ...
//
// in the source   p  the phase (phase.h)      n instance  who serves, which epoch it has seen; expires with its lease
//                 d  who copies; expires      q           how far that is
// in the target   f number  fences: the migration that may write      m key  a mark: what the source had under the key
//                 i instance \0 key  an intent: the instance may have changed the key without having copied it
// Layout: docs/formats/migration-rows.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "service/storage/types.h"

namespace holdfast::dual_write {

// What a row has beside the key that it is about, at most.
inline constexpr std::size_t kRowKeyBytes = 128;
// A write of the mirror looks at one fence, so that they do not all wait for one row.
inline constexpr std::size_t kFences = 16;
// In place of a migration's id: the target is the store's only backend.
inline constexpr std::string_view kCut = "cut";

class Rows {
 public:
  explicit Rows(std::string_view store);

  // All of them, in either backend.
  const storage::KeyRange& range() const { return range_; }
  bool Contains(std::string_view key) const { return range_.Contains(key); }

  std::string Phase() const { return prefix_ + 'p'; }
  std::string Driver() const { return prefix_ + 'd'; }
  std::string Progress() const { return prefix_ + 'q'; }
  std::string Instance(std::string_view instance) const;
  storage::KeyRange Instances() const { return storage::KeyRange::Prefix(prefix_ + 'n'); }
  std::string Fence(std::size_t number) const { return prefix_ + 'f' + std::to_string(number); }
  std::string Mark(std::string_view key) const;
  storage::KeyRange Marks() const { return storage::KeyRange::Prefix(prefix_ + 'm'); }
  std::string Intent(std::string_view instance, std::string_view key) const;
  storage::KeyRange Intents() const { return storage::KeyRange::Prefix(prefix_ + 'i'); }
  // The key that an intent is about.
  std::string KeyOfIntent(std::string_view intent) const;

 private:
  std::string prefix_;
  storage::KeyRange range_;
};

// What the source had under a key when it was copied: the target's entry has a version and times of its own, and
// clients are shown those of the source for as long as it decides.
struct Mark {
  bool live = false;  // false: there was nothing
  storage::Version version = 0;
  Timestamp created_at{};
  Timestamp updated_at{};
  std::uint64_t fingerprint = 0;

  bool operator==(const Mark&) const = default;
  // Null: there is nothing.
  static Mark Of(const storage::EntryPtr& entry);
  std::string Encode() const;
  static std::optional<Mark> Decode(std::string_view bytes);
};

// Of everything of an entry but its version and times of writing; FNV-1a of 64 bits, the same in every process.
std::uint64_t Fingerprint(const storage::Entry& entry);

// What source and target have to take so that callers can be held to `limits`.
storage::Limits WithRoomForRows(storage::Limits limits);
// How many keys fit into one transaction of the mirror, on a target of these limits.
std::size_t KeysPerTransaction(const storage::Limits& target);

}  // namespace holdfast::dual_write
