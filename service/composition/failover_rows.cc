#include "service/composition/failover_rows.h"

#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cstring>
#include <limits>

#include "service/composition/cached_copy.h"
#include "service/storage/key_space.h"

namespace holdfast::composition {
namespace {

// The codec writes numbers as this machine has them, and these rows outlive the process.
static_assert(std::endian::native == std::endian::little);

// Keys of stores begin with a letter or digit, those of copies in a cache too.
constexpr char kMark = '\2';
constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t kNumberDigits = 20;
constexpr char kEndOfKey = '\0';

std::string RowPrefix(FailoverRow row) {
  return {kMark, static_cast<char>(row)};
}

// The reverse of CopyKey.
std::optional<std::string> OriginalKey(std::string_view escaped) {
  std::string key;
  key.reserve(escaped.size());
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] != '\1') {
      key.push_back(escaped[i]);
      continue;
    }
    if (++i == escaped.size() || (escaped[i] != '\1' && escaped[i] != '\2')) return std::nullopt;
    key.push_back(static_cast<char>(escaped[i] - 1));
  }
  return key;
}

}  // namespace

std::string FailoverKey(FailoverRow row, std::string_view key) {
  return RowPrefix(row) + CopyKey(key);
}

std::optional<std::string> KeyOfRow(FailoverRow row, std::string_view row_key) {
  if (!row_key.starts_with(RowPrefix(row))) return std::nullopt;
  return OriginalKey(row_key.substr(RowPrefix(row).size()));
}

storage::KeyRange FailoverRange(FailoverRow row, const storage::KeyRange& keys) {
  storage::KeyRange range = storage::KeyRange::Prefix(RowPrefix(row));
  range.start = FailoverKey(row, keys.start);
  if (keys.end) range.end = FailoverKey(row, *keys.end);
  return range;
}

namespace {

std::string NumberedKey(FailoverRow row, std::string_view key, std::uint64_t number) {
  return FailoverKey(row, fmt::format("{}{}{:020}", key, kEndOfKey, number));
}

std::optional<QueuedPlace> PlaceOf(FailoverRow row, std::string_view row_key) {
  auto key = KeyOfRow(row, row_key);
  if (!key || key->size() < kNumberDigits + 1) return std::nullopt;
  const std::string_view digits = std::string_view(*key).substr(key->size() - kNumberDigits);
  QueuedPlace place;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), place.number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  key->resize(key->size() - kNumberDigits - 1);
  place.key = *std::move(key);
  return place;
}

}  // namespace

std::string ConflictKey(std::string_view key, storage::Version version) {
  return NumberedKey(FailoverRow::kConflict, key, version);
}

std::optional<std::string> KeyOfConflict(std::string_view row_key) {
  auto place = PlaceOf(FailoverRow::kConflict, row_key);
  return place ? std::optional(std::move(place->key)) : std::nullopt;
}

std::string QueuedKey(std::string_view key, std::uint64_t number) {
  return NumberedKey(FailoverRow::kQueued, key, number);
}

std::optional<QueuedPlace> PlaceOfQueued(std::string_view row_key) {
  return PlaceOf(FailoverRow::kQueued, row_key);
}

std::string EncodeFailoverCopy(const storage::Entry& entry) {
  return EncodeCopy(Stamp{}, &entry);
}

storage::EntryPtr DecodeFailoverCopy(std::string_view bytes) {
  const std::optional<CachedCopy> copy = DecodeCopy(bytes);
  return copy ? copy->entry : nullptr;
}

std::string EncodeJournalRow(const JournalRow& row) {
  const std::uint64_t expires_at =
      row.base_expires_at ? static_cast<std::uint64_t>(row.base_expires_at->time_since_epoch().count()) : kNever;
  return EncodeCopy(Stamp{row.base, expires_at}, row.entry.get());
}

std::optional<JournalRow> DecodeJournalRow(std::string_view bytes) {
  std::optional<CachedCopy> copy = DecodeCopy(bytes);
  if (!copy) return std::nullopt;
  JournalRow row{std::move(copy->entry), copy->stamp.generation, std::nullopt};
  if (copy->stamp.epoch != kNever) {
    row.base_expires_at = Timestamp{std::chrono::microseconds{static_cast<std::int64_t>(copy->stamp.epoch)}};
  }
  return row;
}

std::string EncodeQueuedRow(const QueuedRow& row) {
  const std::int64_t taken_at = row.taken_at.time_since_epoch().count();
  std::string bytes(1, static_cast<char>(row.base));
  bytes.append(reinterpret_cast<const char*>(&taken_at), sizeof(taken_at));
  return bytes + EncodeJournalRow(row.write);
}

std::optional<QueuedRow> DecodeQueuedRow(std::string_view bytes) {
  std::int64_t taken_at = 0;
  constexpr std::size_t kHead = 1 + sizeof(taken_at);
  if (bytes.size() < kHead || std::string_view("kup").find(bytes[0]) == std::string_view::npos) return std::nullopt;
  std::memcpy(&taken_at, bytes.data() + 1, sizeof(taken_at));
  auto write = DecodeJournalRow(bytes.substr(kHead));
  if (!write) return std::nullopt;
  return QueuedRow{*std::move(write), static_cast<QueuedRow::Base>(bytes[0]),
                   Timestamp{std::chrono::microseconds{taken_at}}};
}

std::string EncodeVersionBound(storage::Version bound) {
  return std::to_string(bound);
}

std::optional<storage::Version> DecodeVersionBound(std::string_view bytes) {
  storage::Version bound = 0;
  const char* const end = bytes.data() + bytes.size();
  const auto parsed = std::from_chars(bytes.data(), end, bound);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return bound;
}

bool IsPrimaryOnly(std::string_view key) {
  const auto place = storage::FindPlace(key);
  if (!place) return false;
  return place->room == storage::Room::kLocks || place->room == storage::Room::kFences ||
         place->room == storage::Room::kReplays;
}

bool IsPlainKey(std::string_view key) {
  const auto place = storage::FindPlace(key);
  return !place || place->room == storage::Room::kKeys;
}

}  // namespace holdfast::composition
