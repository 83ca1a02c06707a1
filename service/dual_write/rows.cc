#include "service/dual_write/rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "service/dual_write/fnv.h"

namespace holdfast::dual_write {
namespace {

// Of a key in a transaction of the mirror: a condition, the entry, its mark, the intent.
constexpr std::size_t kPerKey = 4;
// The fence as a condition, and once more to see why it did not hold.
constexpr std::size_t kPerTransaction = 2;

// A cursor is a key.
constexpr std::size_t kRowValueBytes = 64u << 10;

std::int64_t Micros(Timestamp time) {
  return time.time_since_epoch().count();
}

}  // namespace

Rows::Rows(std::string_view store) : prefix_(fmt::format("\x01{}", store)) {
  prefix_ += '\0';
  range_ = storage::KeyRange::Prefix(prefix_);
}

std::string Rows::Instance(std::string_view instance) const {
  return fmt::format("{}n{}", prefix_, instance);
}
std::string Rows::Mark(std::string_view key) const {
  return fmt::format("{}m{}", prefix_, key);
}
std::string Rows::Intent(std::string_view instance, std::string_view key) const {
  std::string row = fmt::format("{}i{}", prefix_, instance);
  row += '\0';
  return row.append(key);
}
std::string Rows::KeyOfIntent(std::string_view intent) const {
  return std::string(intent.substr(intent.find('\0', prefix_.size()) + 1));
}

Mark Mark::Of(const storage::EntryPtr& entry) {
  if (entry == nullptr) return {};
  return {true, entry->version, entry->created_at, entry->updated_at, Fingerprint(*entry)};
}

std::string Mark::Encode() const {
  if (!live) return "-";
  return fmt::format("{} {} {} {}", version, Micros(created_at), Micros(updated_at), fingerprint);
}

std::optional<Mark> Mark::Decode(std::string_view bytes) {
  if (bytes == "-") return Mark{};
  std::istringstream words{std::string(bytes)};
  std::int64_t created = 0;
  std::int64_t updated = 0;
  dual_write::Mark mark;
  if (!(words >> mark.version >> created >> updated >> mark.fingerprint)) return std::nullopt;
  mark.live = true;
  mark.created_at = Timestamp(Timestamp::duration(created));
  mark.updated_at = Timestamp(Timestamp::duration(updated));
  return mark;
}

std::uint64_t Fingerprint(const storage::Entry& entry) {
  Fnv fnv;
  fnv.Add(entry.value);
  fnv.Add(entry.content_type);
  fnv.Add(entry.metadata);
  for (const std::string& tag : entry.tags) fnv.Add(tag);
  fnv.Add(entry.expires_at ? std::to_string(Micros(*entry.expires_at)) : "");
  return fnv.hash();
}

storage::Limits WithRoomForRows(storage::Limits limits) {
  limits.max_key_bytes += kRowKeyBytes;
  limits.max_operations = std::max(limits.max_operations * kPerKey + kPerTransaction, 2 * kFences);
  limits.max_value_bytes = std::max(limits.max_value_bytes, kRowValueBytes);
  return limits;
}

std::size_t KeysPerTransaction(const storage::Limits& target) {
  return std::max<std::size_t>((target.max_operations - std::min(kPerTransaction, target.max_operations)) / kPerKey, 1);
}

}  // namespace holdfast::dual_write
