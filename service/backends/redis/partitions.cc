#include "service/backends/redis/partitions.h"

#include "base/redis/slot.h"
#include "service/storage/key_space.h"

namespace holdfast::storage::redis_backend {
namespace {

// The rooms whose rows change together in ways that only the whole namespace has in common.
bool IsOfCollections(Room room) {
  return room == Room::kCollections || room == Room::kDocuments || room == Room::kIndexes;
}

// store \0 namespace \0, of a key that is in a space.
std::string_view SpaceOf(std::string_view backend_key, const KeyPlace& place) {
  return backend_key.substr(0, place.store.size() + place.name_space.size() + 2);
}

bool Within(const KeyRange& range, std::string_view prefix) {
  const std::optional<std::string> end = KeyRange::Prefix(prefix).end;
  return range.end && end && *range.end <= *end;
}

}  // namespace

std::vector<std::string> PartitionTags(std::size_t count) {
  std::vector<std::string> tags(count);
  std::size_t missing = count;
  for (std::size_t number = 0; missing > 0; ++number) {
    std::string tag = std::to_string(number);
    const std::size_t slot = redis::SlotOf(tag);
    const std::size_t partition = slot * count / redis::kSlots;
    if (slot != (2 * partition + 1) * redis::kSlots / (2 * count) || !tags[partition].empty()) continue;
    tags[partition] = std::move(tag);
    --missing;
  }
  return tags;
}

Partitions::Partitions(const RedisOptions& options) : spread_(options.cluster_spread) {
  if (options.client.target.topology != redis::Target::Topology::kCluster) {
    prefixes_.push_back(options.key_prefix);
    return;
  }
  for (const std::string& tag : PartitionTags(static_cast<std::size_t>(options.cluster_partitions))) {
    prefixes_.push_back(std::string(options.key_prefix).append("{").append(tag).append("}:"));
  }
}

std::size_t Partitions::PartOf(std::string_view space, std::string_view name) const {
  const std::size_t slot = redis::Crc16(redis::HashTagOf(name), redis::Crc16(space)) % redis::kSlots;
  return slot * size() / redis::kSlots;
}

std::size_t Partitions::Of(std::string_view backend_key) const {
  if (size() == 1) return 0;
  const std::optional<KeyPlace> place = FindPlace(backend_key);
  if (!place) return PartOf({}, spread_ == ClusterSpread::kKey ? backend_key : std::string_view());
  const std::string_view space = SpaceOf(backend_key, *place);
  if (spread_ == ClusterSpread::kNamespace || IsOfCollections(place->room)) return PartOf(space, {});
  return PartOf(space, place->key);
}

std::optional<std::size_t> Partitions::Of(const KeyRange& range) const {
  if (size() == 1) return 0;
  const std::optional<KeyPlace> place = FindPlace(range.start);
  if (!place) return std::nullopt;
  const std::string_view space = SpaceOf(range.start, *place);
  const bool together = spread_ == ClusterSpread::kNamespace
                            ? Within(range, space)
                            : IsOfCollections(place->room) && Within(range, range.start.substr(0, space.size() + 1));
  return together ? std::optional(PartOf(space, {})) : std::nullopt;
}

std::optional<std::size_t> Partitions::Of(const Transaction& transaction) const {
  if (size() == 1) return 0;
  std::optional<std::size_t> common;
  const auto same = [&](std::string_view key) {
    const std::size_t partition = Of(key);
    if (!common) common = partition;
    return *common == partition;
  };
  for (const Condition& condition : transaction.conditions) {
    if (!same(condition.key)) return std::nullopt;
  }
  for (const auto* branch : {&transaction.then, &transaction.otherwise}) {
    for (const Operation& operation : *branch) {
      if (!same(operation.key)) return std::nullopt;
    }
  }
  return common.value_or(0);
}

}  // namespace holdfast::storage::redis_backend
