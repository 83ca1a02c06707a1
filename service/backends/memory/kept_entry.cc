#include "service/backends/memory/kept_entry.h"

#include <cstdlib>
#include <utility>

#include "base/log/log.h"

namespace holdfast::storage {
namespace {

const PackedEntry& AsPacked(const Entry& entry) {
  return static_cast<const PackedEntry&>(entry);
}

}  // namespace

std::size_t ValueBytes(const Entry& entry, bool packed) {
  return packed ? AsPacked(entry).value_bytes : entry.value.size();
}

std::size_t KeptValueBytes(const Entry& entry, bool packed) {
  if (!packed) return entry.value.size();
  return sizeof(PackedEntry) - sizeof(Entry) + sizeof(std::string) + AsPacked(entry).bytes->size();
}

void CopyAttributes(const Entry& from, Entry* to) {
  to->version = from.version;
  to->created_at = from.created_at;
  to->updated_at = from.updated_at;
  to->expires_at = from.expires_at;
  to->content_type = from.content_type;
  to->metadata = from.metadata;
  to->tags = from.tags;
}

EntryPtr Plain(const KeptEntry& kept) {
  if (!kept.packed) return kept.entry;
  const PackedEntry& packed = AsPacked(*kept.entry);
  auto value = compression::Decompress(packed.codec, *packed.bytes, packed.value_bytes, packed.value_bytes);
  if (!value.ok()) {
    log::Error("a value that was packed here does not unpack: the memory of the process is damaged",
               {{"codec", compression::CodecName(packed.codec)}, {"bytes", packed.bytes->size()}});
    std::abort();
  }
  auto entry = std::make_shared<Entry>();
  CopyAttributes(packed, entry.get());
  entry->value = std::move(value).value();
  return entry;
}

void Packing::Prepare(const Operation& operation) {
  if (operation.kind != OperationKind::kPut) return;
  const std::string_view value = operation.decided != nullptr ? operation.decided->value : operation.value;
  if (value.size() < kLeastPacked || packed_.contains(value)) return;
  const auto packed = compression::Compress(options_, value);
  if (!packed) return;
  counts_.before.fetch_add(value.size(), std::memory_order_relaxed);
  counts_.after.fetch_add(packed->size(), std::memory_order_relaxed);
  // A copy: the room that the codec asked for is that of the worst case.
  packed_.emplace(value, std::make_shared<const std::string>(std::string_view(*packed)));
}

EntryPtr Packing::Plain(const KeptEntry& kept) {
  if (!kept.packed) return kept.entry;
  const auto [known, is_new] = unpacked_.try_emplace(kept.entry.get());
  if (is_new) {
    known->second = {kept.entry, storage::Plain(kept)};
    packed_.emplace(known->second.plain->value, AsPacked(*kept.entry).bytes);
  }
  return known->second.plain;
}

KeptEntry Packing::Keep(EntryPtr entry) const {
  const auto found = packed_.find(entry->value);
  if (found == packed_.end()) return {std::move(entry)};
  auto packed = std::make_shared<PackedEntry>();
  CopyAttributes(*entry, packed.get());
  packed->bytes = found->second;
  packed->value_bytes = entry->value.size();
  packed->codec = options_.codec;
  return {std::move(packed), /*packed=*/true};
}

}  // namespace holdfast::storage
