// What a failover store keeps in its secondary: copies of the primary's entries, the journal of writes that the
// secondary took while the primary was away, and the conflicts that their replay left. A store that writes behind keeps
// its queue and its conflicts likewise, and both how far they are with versions. On the disk:
// docs/formats/failover-rows.md.
//
// A copy carries version and times of the primary inside its value, since the secondary gives what it keeps its own.
// None of the keys lies in a key space, so rows collide with no store on the same backend and count for no tenant; the
// order of keys is kept, so a range of keys is a range of copies.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "service/storage/types.h"

namespace holdfast::composition {

// Versions of writes that the secondary took lie above this and those of a backend below it: none of the one kind is
// ever mistaken for one of the other. Fits the 63 bits that databases have.
inline constexpr storage::Version kSecondaryVersions = storage::Version{1} << 62;

enum class FailoverRow : char {
  kCopy = 'c',
  kJournal = 'j',
  kConflict = 'x',
  kQueued = 'q',
  kVersions = 'v',
};

// The key of the row that belongs to `key`. The order of keys is that of their rows.
std::string FailoverKey(FailoverRow row, std::string_view key);
// The key that it was made of; nothing when it is none of these rows.
std::optional<std::string> KeyOfRow(FailoverRow row, std::string_view row_key);
storage::KeyRange FailoverRange(FailoverRow row, const storage::KeyRange& keys);
// Several may stand for one key: told apart by the version under which the write was acknowledged.
std::string ConflictKey(std::string_view key, storage::Version version);
std::optional<std::string> KeyOfConflict(std::string_view row_key);

// The same of a write that waits for the system of record, told apart by their numbers in the queue.
std::string QueuedKey(std::string_view key, std::uint64_t number);
struct QueuedPlace {
  std::string key;
  std::uint64_t number = 0;
};
std::optional<QueuedPlace> PlaceOfQueued(std::string_view row_key);

std::string EncodeFailoverCopy(const storage::Entry& entry);
// Null when it is none: of another layout, or damaged.
storage::EntryPtr DecodeFailoverCopy(std::string_view bytes);

// A write that the secondary took: the last one of its key.
struct JournalRow {
  storage::EntryPtr entry;    // null: the key was deleted
  storage::Version base = 0;  // of the primary's entry that it replaced, as the copy had it; 0: there was none
  std::optional<Timestamp> base_expires_at;
};
std::string EncodeJournalRow(const JournalRow& row);
std::optional<JournalRow> DecodeJournalRow(std::string_view bytes);

// A write that waits for the system of record.
struct QueuedRow {
  // What stood there when it was taken: `write.base`; could not be asked; or what the write before it in the queue
  // left.
  enum class Base : char { kKnown = 'k', kUnknown = 'u', kPrevious = 'p' };
  JournalRow write;
  Base base = Base::kKnown;
  Timestamp taken_at{};
};
std::string EncodeQueuedRow(const QueuedRow& row);
std::optional<QueuedRow> DecodeQueuedRow(std::string_view bytes);

// Up to where versions above kSecondaryVersions may have been given.
std::string EncodeVersionBound(storage::Version bound);
std::optional<storage::Version> DecodeVersionBound(std::string_view bytes);

// Locks, fences and the answers to repeated requests are worth nothing when they may be old: they are never copied, and
// only the primary answers for them.
bool IsPrimaryOnly(std::string_view key);
// What the secondary may take writes of: the keys that clients put themselves.
bool IsPlainKey(std::string_view key);

}  // namespace holdfast::composition
