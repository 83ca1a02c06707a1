#include "service/backends/rocksdb/key_space_prefix.h"

#include "service/storage/key_space.h"

namespace holdfast::storage {
namespace {

// Empty when the key is in no space.
std::string_view PrefixOf(std::string_view key) {
  const std::optional<KeyPlace> place = FindPlace(key);
  return place ? key.substr(0, key.size() - place->key.size()) : std::string_view();
}

class KeySpacePrefix : public rocksdb::SliceTransform {
 public:
  // Recorded in every table file: another rule needs another name.
  const char* Name() const override { return "holdfast.KeySpace.1"; }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override { return PrefixOf(key.ToStringView()); }
  bool InDomain(const rocksdb::Slice& key) const override { return !PrefixOf(key.ToStringView()).empty(); }
};

}  // namespace

std::shared_ptr<const rocksdb::SliceTransform> KeySpaceTransform() {
  static const auto transform = std::make_shared<const KeySpacePrefix>();
  return transform;
}

bool LiesInOneSpace(const KeyRange& range) {
  const std::string_view prefix = PrefixOf(range.start);
  if (prefix.empty() || !range.end) return false;
  // The least key behind all those with the prefix.
  return *range.end <= *KeyRange::Prefix(prefix).end;
}

}  // namespace holdfast::storage
